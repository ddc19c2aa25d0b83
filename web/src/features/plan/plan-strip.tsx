'use client';

import { useRef, useState, type KeyboardEvent } from 'react';
import { framePath } from '@/lib/api/client';
import type { StoredProblem } from '@/lib/api/problem';
import type { Plan, VideoReport } from '@/lib/api/types';
import { bytes, clock, count, duration } from '@/lib/format';
import { detail, explain } from '@/lib/strings/problems';
import { ui } from '@/lib/strings/ui';
import { useMediaUrl } from '@/lib/use-media-url';

interface Props {
  videoId: string;
  plan: Plan | undefined;
  problem: StoredProblem | null;
  /** The settings changed and the new plan is on its way. */
  stale: boolean;
  several: boolean;
  seconds: number;
  onSeek: (seconds: number) => void;
}

/** The very frames that the model will see, and what seeing them costs. */
export function PlanStrip(props: Props) {
  const { videoId, plan, problem, stale, several, seconds, onSeek } = props;
  const report = plan?.video_report[0];
  return (
    <section aria-label={ui.plan.label} data-testid="plan-strip" className="min-h-36">
      <div className="mb-1.5 flex flex-wrap items-baseline gap-x-3">
        <h2 className="text-sm font-semibold">{ui.plan.label}</h2>
        {plan && report && <Cost plan={plan} report={report} />}
      </div>
      {plan && !plan.estimate.fits && <p className="mb-2 text-sm text-bad">{ui.plan.unfit}</p>}
      {problem && (
        <p role="alert" className="text-sm text-bad">
          {explain(problem).text} {detail(problem)}
        </p>
      )}
      {!problem && !report && <p className="text-sm text-soft">{ui.plan.waiting}</p>}
      {report && (
        <div className={stale ? 'opacity-60 transition-opacity' : 'transition-opacity'}>
          <Frames videoId={videoId} report={report} seconds={seconds} onSeek={onSeek} />
        </div>
      )}
      {several && <p className="mt-1 text-sm text-soft">{ui.plan.several}</p>}
    </section>
  );
}

function Cost({ plan, report }: { plan: Plan; report: VideoReport }) {
  const { prompt_tokens, memory_bytes, first_token_s } = plan.estimate;
  const facts = [
    ui.plan.frames(count(report.frames.length)),
    ui.plan.size(report.resized_width, report.resized_height),
    ui.plan.tokens(count(prompt_tokens)),
    ...(memory_bytes === null ? [] : [ui.plan.memory(bytes(memory_bytes))]),
    ...(first_token_s === null ? [] : [ui.plan.seconds(duration(Math.max(0.1, first_token_s)))]),
  ];
  return (
    <p data-testid="plan-cost" aria-live="polite" className="text-sm text-soft tabular-nums">
      {facts.join(' · ')}
    </p>
  );
}

interface FramesProps {
  videoId: string;
  report: VideoReport;
  seconds: number;
  onSeek: (seconds: number) => void;
}

/** One stop for the Tab key; the arrow keys go from frame to frame. */
function Frames({ videoId, report, seconds, onSeek }: FramesProps) {
  const list = useRef<HTMLOListElement>(null);
  const [focused, setFocused] = useState(0);
  const { frames } = report;
  const current = frames.findLastIndex((frame) => frame.time_s <= seconds + 0.01);
  const stop = Math.min(focused, frames.length - 1);

  function move(event: KeyboardEvent) {
    const steps: Record<string, number> = { ArrowLeft: -1, ArrowRight: 1, Home: -1e9, End: 1e9 };
    const step = steps[event.key];
    if (step === undefined) return;
    event.preventDefault();
    const next = Math.min(Math.max(stop + step, 0), frames.length - 1);
    setFocused(next);
    list.current?.querySelectorAll('button')[next]?.focus();
  }

  return (
    <ol ref={list} className="flex gap-1 overflow-x-auto pb-2">
      {frames.map((frame, index) => (
        <li key={frame.index} className="shrink-0">
          <button
            type="button"
            tabIndex={index === stop ? 0 : -1}
            onKeyDown={move}
            onFocus={() => setFocused(index)}
            onClick={() => onSeek(frame.time_s)}
            aria-current={index === current}
            className={`block rounded-md border-2 p-0.5 outline-offset-[-2px] ${
              index === current ? 'border-brand' : 'border-transparent hover:border-edge'
            }`}
          >
            <Thumb videoId={videoId} frame={frame} report={report} />
            <span aria-hidden="true" className="block text-center text-xs text-soft tabular-nums">
              {clock(frame.time_s, true)}
            </span>
          </button>
        </li>
      ))}
    </ol>
  );
}

const thumbHeight = 64;

function Thumb({
  videoId,
  frame,
  report,
}: {
  videoId: string;
  frame: VideoReport['frames'][number];
  report: VideoReport;
}) {
  const width = Math.round((thumbHeight * report.resized_width) / report.resized_height);
  const url = useMediaUrl(framePath(videoId, frame.index, Math.max(16, 2 * width)));
  const [missing, setMissing] = useState<string | null>(null);
  const name = ui.plan.frame(clock(frame.time_s, true));
  // In place of the browser's sign for a broken picture.
  if (url !== null && url === missing) {
    return (
      <span
        role="img"
        aria-label={name}
        className="block h-16 rounded-sm bg-sunk"
        style={{ width }}
      />
    );
  }
  return (
    <img
      src={url ?? undefined}
      alt={name}
      width={width}
      height={thumbHeight}
      loading="lazy"
      decoding="async"
      onError={() => setMissing(url)}
      className="h-16 rounded-sm bg-sunk object-cover"
    />
  );
}
