/** How long items took, and when they ended: every attempt counts, so that failures stay visible after a retry. */
import 'uplot/dist/uPlot.min.css';
import { Alert, Skeleton, useComputedColorScheme } from '@mantine/core';
import { useElementSize, useThrottledValue } from '@mantine/hooks';
import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { useEffect, useMemo, useRef } from 'react';
import uPlot from 'uplot';
import type { BatchItem } from '../../../src/contract/schemas.js';
import { call, messageOf } from '../api/call.js';
import { durationText } from '../parts/durations.js';
import { number } from '../parts/states.js';
import { durationBins, endings, quantile } from './chart-data.js';

const AT_MOST_EVERY_MS = 5_000;

export default function Charts({ batchId, revision }: { batchId: string; revision: number }) {
  const seldom = useThrottledValue(revision, AT_MOST_EVERY_MS);
  const attempts = useQuery({
    queryKey: ['attempts', batchId, seldom],
    queryFn: () => readAttempts(batchId),
    placeholderData: keepPreviousData,
    gcTime: 0,
  });
  if (attempts.error !== null) return <Alert color="red">{messageOf(attempts.error)}</Alert>;
  if (attempts.data === undefined) return <Skeleton height={220} />;
  return (
    <div className="charts">
      <Durations attempts={attempts.data} />
      <Endings attempts={attempts.data} />
    </div>
  );
}

async function readAttempts(batchId: string): Promise<BatchItem[]> {
  const all: BatchItem[] = [];
  let cursor: string | null = null;
  do {
    const page: { items: BatchItem[]; next_cursor: string | null } = await call('listItems', {
      batch_id: batchId,
      latest_only: false,
      state: ['completed', 'error'],
      limit: 5000,
      ...(cursor !== null && { cursor }),
    });
    all.push(...page.items);
    cursor = page.next_cursor;
  } while (cursor !== null);
  return all;
}

function Durations({ attempts }: { attempts: readonly BatchItem[] }) {
  const { sentence, data, labels } = useMemo(() => durationChart(attempts), [attempts]);
  return (
    <Figure title="Durations of attempts" sentence={sentence}>
      <Plot data={data} labels={labels} />
    </Figure>
  );
}

function durationChart(attempts: readonly BatchItem[]) {
  const bins = durationBins(attempts);
  const times = attempts.flatMap((one) =>
    one.running_at === null || one.finished_at === null
      ? []
      : [Date.parse(one.finished_at) - Date.parse(one.running_at)],
  );
  const at = (q: number) => durationText(quantile(times, q));
  const sentence =
    times.length === 0
      ? 'No attempt has ended yet.'
      : `${number(times.length)} attempts: half took less than ${at(0.5)}, one in twenty more than ${at(0.95)}, the longest ${at(1)}.`;
  const data: uPlot.AlignedData = [
    bins.map((_, index) => index),
    bins.map((bin) => bin.failed + bin.completed),
    bins.map((bin) => bin.failed),
  ];
  return { sentence, data, labels: bins.map((bin) => bin.label) };
}

function Endings({ attempts }: { attempts: readonly BatchItem[] }) {
  const data = useMemo(() => {
    const { at, completed, failed } = endings(attempts);
    return [at, completed, failed] satisfies uPlot.AlignedData;
  }, [attempts]);
  const [completed, failed] = [data[1]?.at(-1) ?? 0, data[2]?.at(-1) ?? 0];
  const sentence = `${number(completed)} attempts completed and ${number(failed)} failed so far.`;
  return (
    <Figure title="Completed and failed over time" sentence={sentence}>
      <Plot data={data} labels={null} />
    </Figure>
  );
}

function Figure({ title, sentence, children }: { title: string; sentence: string; children: React.ReactNode }) {
  return (
    <figure className="chart">
      <figcaption>
        <strong>{title}</strong>
        <span className="dim">{sentence}</span>
      </figcaption>
      {children}
    </figure>
  );
}

interface PlotProps {
  /** x, completed, failed. */
  readonly data: uPlot.AlignedData;
  /** Of bars; without them x is time, and there are lines. */
  readonly labels: readonly string[] | null;
}

const HEIGHT = 180;
const TIME = { hour: '2-digit', minute: '2-digit', second: '2-digit', hour12: false } as const;
const clock = new Intl.DateTimeFormat(undefined, TIME);
/** A batch may be over within a second. */
const fineClock = new Intl.DateTimeFormat(undefined, { ...TIME, fractionalSecondDigits: 2 });

function timesOf(splits: readonly number[]): string[] {
  const [first = 0, second = 1] = splits;
  return splits.map((at) => (second - first < 1 ? fineClock : clock).format(at * 1000));
}

function Plot({ data, labels }: PlotProps) {
  const { ref: box, width } = useElementSize();
  const place = useRef<HTMLDivElement>(null);
  const scheme = useComputedColorScheme();
  useEffect(() => {
    if (place.current === null || width === 0 || scheme === undefined) return;
    const bars = labels !== null;
    const style = getComputedStyle(document.documentElement);
    const colour = (name: string) => style.getPropertyValue(name).trim();
    const [ink, grid] = [colour('--ink-dim'), colour('--line')];
    const series = (name: string, stroke: string): uPlot.Series =>
      ({
        label: name,
        stroke,
        width: bars ? 0 : 2,
        fill: bars ? stroke : undefined,
        points: { show: false },
        ...(bars && { paths: uPlot.paths.bars?.({ size: [0.8, 60] }) }),
      }) as uPlot.Series;
    const plot = new uPlot(
      {
        width,
        height: HEIGHT,
        legend: { show: false },
        cursor: { show: false },
        scales: {
          x: { time: !bars, ...(bars && { range: [-0.5, (data[0]?.length ?? 1) - 0.5] }) },
          y: { range: (_, __, max) => [0, Math.max(1, max * 1.1)] },
        },
        axes: [
          {
            stroke: ink,
            grid: { show: false },
            ticks: { stroke: grid },
            ...(bars
              ? {
                  values: (_, splits) => splits.map((at) => labels[at] ?? ''),
                  splits: () => [...(data[0] ?? [])] as number[],
                }
              : { space: 90, values: (_, splits) => timesOf(splits) }),
          },
          {
            stroke: ink,
            grid: { stroke: grid },
            ticks: { stroke: grid },
            incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000],
          },
        ],
        series: [{}, series('completed', colour('--s-completed')), series('failed', colour('--s-failed'))],
      },
      data,
      place.current,
    );
    return () => plot.destroy();
  }, [data, width, scheme, labels]);
  return (
    <div ref={box} style={{ minHeight: HEIGHT }} aria-hidden="true">
      <div ref={place} />
    </div>
  );
}
