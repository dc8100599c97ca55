/**
 * A batch from a file: method, rows, columns, check, submit. The check is a dry run of the very submission, so the server
 * says of each row what it would say; nothing is recorded before the last button.
 */
import { Alert, Button, FileButton, Group, NumberInput, Stack, Text, Textarea, TextInput, Title } from '@mantine/core';
import { useDebouncedValue } from '@mantine/hooks';
import { useMutation } from '@tanstack/react-query';
import { getRouteApi, useNavigate } from '@tanstack/react-router';
import { useMemo, useState } from 'react';
import { RawJson } from '../../../src/contract/raw-json.js';
import type { SubmitResult } from '../../../src/contract/schemas.js';
import { call, messageOf, newRequestId } from '../api/call.js';
import { number } from '../parts/states.js';
import { ColumnMapping } from './column-mapping.js';
import { MethodPicker, usePickedMethod } from './method-picker.js';
import { type CheckedRow, Preview } from './preview.js';
import {
  firstMapping,
  guessFormat,
  type Mapping,
  parameterNames,
  type Row,
  readRows,
  readSheet,
  type Sheet,
} from './rows.js';

const route = getRouteApi('/app/submit');
const TYPING_MS = 400;

export default function SubmitPage() {
  const { method: picked } = route.useSearch();
  const navigate = useNavigate();
  const [method, setMethod] = useState(picked ?? '');
  const [version, setVersion] = useState('');
  const [file, setFile] = useState<string | null>(null);
  const [typed, setTyped] = useState('');
  const [text] = useDebouncedValue(typed, TYPING_MS);
  const [mapping, setMapping] = useState<Mapping | null>(null);
  const [name, setName] = useState('');
  const [wsid, setWsid] = useState<number | null>(null);
  const spec = usePickedMethod(method, version);
  const schema = spec.data?.params_schema ?? null;
  const sheet = useMemo(() => sheetOf(text, file), [text, file]);
  const columns = 'names' in sheet ? sheet.names : [];
  const used = useMemo(() => ({ ...firstMapping(columns, schema), ...mapping }), [columns, schema, mapping]);
  const rows = useMemo(() => ('problem' in sheet ? [] : readRows(sheet, used, schema)), [sheet, used, schema]);
  const target = { method, ...(version.trim() !== '' && { version: version.trim() }), ...(wsid !== null && { wsid }) };

  const check = useMutation({ mutationFn: () => dryRun(rows, target) });
  // a change of anything that was checked makes the check worthless
  const verdicts = check.data?.of === rows && check.data.for === JSON.stringify(target) ? check.data.rows : null;
  const fresh = verdicts !== null;
  const checked: readonly CheckedRow[] = verdicts ?? rows;
  const bad = checked.filter((row) => row.problem !== null).length;
  const [requestId, setRequestId] = useState(newRequestId);
  const submit = useMutation({
    mutationFn: () => send(checked, target, { name, wsid, requestId }),
    onSuccess: (result) => {
      setRequestId(newRequestId());
      if (result.batch_id !== null) void navigate({ to: '/batches/$batchId', params: { batchId: result.batch_id } });
    },
  });
  const take = (content: string, from: string | null) => {
    setTyped(content);
    setFile(from);
    setMapping(null);
  };
  return (
    <>
      <div className="page-head">
        <Title order={1}>Submit a batch</Title>
      </div>
      <Stack gap="lg" maw={1100}>
        <section aria-label="method">
          <Title order={2}>1. What runs</Title>
          <MethodPicker method={method} version={version} spec={spec} onMethod={setMethod} onVersion={setVersion} />
        </section>
        <section aria-label="rows">
          <Title order={2}>2. On which inputs: one job a row</Title>
          <Group my="xs">
            <FileButton
              accept=".csv,.jsonl,.ndjson,.json,text/csv"
              onChange={(one) => one !== null && void one.text().then((content) => take(content, one.name))}
            >
              {(props) => (
                <Button variant="default" {...props}>
                  Choose a file
                </Button>
              )}
            </FileButton>
            <Text size="sm" className="dim">
              or paste CSV (the first row names the parameters) or JSON lines
            </Text>
          </Group>
          <Textarea
            aria-label="rows as CSV or JSON lines"
            placeholder={'name,reads\nphix-1,1000\nphix-2,2000'}
            autosize
            minRows={6}
            maxRows={16}
            styles={{ input: { fontFamily: 'var(--mantine-font-family-monospace)' } }}
            value={typed}
            onChange={(event) => take(event.currentTarget.value, null)}
          />
          {'problem' in sheet && sheet.problem !== null && (
            <Alert color="red" mt="xs" role="alert">
              {sheet.problem}
            </Alert>
          )}
        </section>
        {columns.length > 0 && (
          <section aria-label="columns">
            <Title order={2}>3. Columns</Title>
            <ColumnMapping columns={columns} known={parameterNames(schema)} mapping={used} onChange={setMapping} />
          </section>
        )}
        {rows.length > 0 && (
          <section aria-label="check">
            <Title order={2}>{columns.length > 0 ? '4' : '3'}. Check and submit</Title>
            <Group my="xs" align="end">
              <TextInput
                label="Name of the batch"
                value={name}
                maxLength={200}
                onChange={(event) => setName(event.currentTarget.value)}
              />
              <NumberInput
                label="Workspace"
                placeholder="none"
                hideControls
                min={1}
                value={wsid ?? ''}
                onChange={(value) => setWsid(typeof value === 'number' ? value : null)}
              />
              <Button
                variant={fresh ? 'default' : 'filled'}
                loading={check.isPending}
                disabled={spec.data === undefined}
                onClick={() => check.mutate()}
              >
                Check {number(rows.length)} rows
              </Button>
              <Button
                disabled={!fresh || bad === rows.length}
                variant={fresh ? 'filled' : 'default'}
                loading={submit.isPending}
                onClick={() => submit.mutate()}
              >
                {bad > 0
                  ? `Leave out ${number(bad)} bad and submit ${number(rows.length - bad)}`
                  : `Submit ${number(rows.length)} jobs`}
              </Button>
            </Group>
            {check.error !== null && <Alert color="red">{messageOf(check.error)}</Alert>}
            {submit.error !== null && (
              <Alert color="red" role="alert">
                {messageOf(submit.error)} Press the button again: what was recorded is not repeated.
              </Alert>
            )}
            <Preview rows={checked} checked={fresh} />
          </section>
        )}
      </Stack>
    </>
  );
}

const NO_SHEET: { readonly problem: string | null } = { problem: null };

function sheetOf(text: string, file: string | null): Sheet | { readonly problem: string | null } {
  if (text.trim() === '') return NO_SHEET;
  try {
    return readSheet(text, guessFormat(text, file));
  } catch (error) {
    return { problem: messageOf(error) };
  }
}

interface Target {
  readonly method: string;
  readonly version?: string;
  readonly wsid?: number;
}

const jobOf = (row: Row, target: Target) => ({ ...target, params: new RawJson(row.params ?? 'null') });

interface Checked {
  readonly of: readonly Row[];
  readonly for: string;
  readonly rows: readonly CheckedRow[];
}

async function dryRun(rows: readonly Row[], target: Target): Promise<Checked> {
  const readable = rows.filter((row) => row.params !== null);
  const verdicts = new Map<Row, SubmitResult['items'][number]>();
  if (readable.length > 0) {
    const jobs = readable.map((row) => jobOf(row, target));
    const { items } = await call('submitBatch', { jobs, dry_run: true });
    for (const item of items) verdicts.set(readable[item.index] as Row, item);
  }
  const judged = rows.map((row) => {
    const verdict = verdicts.get(row);
    return { ...row, problem: row.problem ?? verdict?.error?.message ?? null, commit: verdict?.commit ?? null };
  });
  return { of: rows, for: JSON.stringify(target), rows: judged };
}

function send(
  rows: readonly CheckedRow[],
  target: Target,
  o: { name: string; wsid: number | null; requestId: string },
) {
  return call('submitBatch', {
    jobs: rows.filter((row) => row.problem === null).map((row) => jobOf(row, target)),
    all_or_nothing: true,
    request_id: o.requestId,
    ...(o.name.trim() !== '' && { name: o.name.trim() }),
    ...(o.wsid !== null && { wsid: o.wsid }),
  });
}
