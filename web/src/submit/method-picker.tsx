/** The method to run and its version, with what it asks for. */
import { Alert, Autocomplete, Group, Text } from '@mantine/core';
import { type UseQueryResult, useQueries } from '@tanstack/react-query';
import type { MethodView } from '../../../src/contract/schemas.js';
import { call, messageOf } from '../api/call.js';
import { useRead } from '../api/queries.js';
import { Command, shortCommit } from '../parts/text.js';

/** Not asked for before the name is whole. */
export function usePickedMethod(method: string, version: string): UseQueryResult<MethodView> {
  const [module = '', name = ''] = method.split('.');
  const whole = /^[^.\s]+\.[^.\s]+$/.test(method);
  const wanted = version.trim();
  return useRead('getMethod', { module, method: name, ...(wanted !== '' && { version: wanted }) }, { enabled: whole });
}

interface Props {
  readonly method: string;
  readonly version: string;
  readonly spec: UseQueryResult<MethodView>;
  readonly onMethod: (method: string) => void;
  readonly onVersion: (version: string) => void;
}

export function MethodPicker({ method, version, spec, onMethod, onVersion }: Props) {
  const apps = useRead('listApps', {});
  const modules = apps.data?.items ?? [];
  const details = useQueries({
    queries: modules.map(({ module }) => ({
      queryKey: ['getApp', { module }],
      queryFn: () => call('getApp', { module }),
    })),
  });
  const methods = details.flatMap(({ data }) =>
    data === undefined
      ? []
      : [...new Set(data.versions.flatMap((one) => one.methods))].map((name) => nameOf(data.module, name)),
  );
  const tags = modules.find((app) => app.module === method.split('.')[0])?.tags.map(({ tag }) => tag) ?? [];
  return (
    <>
      {apps.data !== undefined && modules.length === 0 && (
        <Alert color="yellow" title="There is no app yet">
          An app is a git repository with a reprise.json; add one first:
          <Command>reprise app add /path/to/repository --tag release</Command>
        </Alert>
      )}
      <Group align="start" my="xs">
        <Autocomplete
          label="Method"
          placeholder="module.method"
          w={300}
          data={methods}
          value={method}
          onChange={onMethod}
        />
        <Autocomplete
          label="Version"
          placeholder="release"
          description="a tag or a commit"
          inputWrapperOrder={['label', 'input', 'description', 'error']}
          w={200}
          data={tags}
          value={version}
          onChange={onVersion}
        />
      </Group>
      {spec.error !== null && <Alert color="red">{messageOf(spec.error)}</Alert>}
      {spec.data !== undefined && <Told spec={spec.data} />}
    </>
  );
}

const nameOf = (module: string, method: string) => (method.startsWith(`${module}.`) ? method : `${module}.${method}`);

function Told({ spec }: { spec: MethodView }) {
  const { requirements: r } = spec;
  const { required = [] } = (spec.params_schema ?? {}) as { required?: string[] };
  return (
    <Text size="sm" className="dim">
      Runs at <code title={spec.commit}>{shortCommit(spec.commit)}</code>
      {spec.tag !== null && ` (${spec.tag})`}, gets {r.cpus} cpu and {r.memory_mb} MB.{' '}
      {required.length > 0 && `It needs ${required.join(', ')}.`}
    </Text>
  );
}
