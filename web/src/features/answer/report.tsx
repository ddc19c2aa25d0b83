import { Fold } from '@/components/fold';
import type { Answer, VideoReport } from '@/lib/api/types';
import { clock, count, duration } from '@/lib/format';
import { ui } from '@/lib/strings/ui';

const words = ui.report;

/** What the model saw, number by number, and what it did not. */
export function Report({ answer }: { answer: Answer }) {
  const { usage, timings_ms } = answer;
  const cached = usage.cached_tokens ?? usage.prompt_tokens_details?.cached_tokens ?? 0;
  const video = answer.video_report.reduce((sum, report) => sum + report.video_tokens, 0);
  const [prompt, said] = [count(usage.prompt_tokens ?? 0), count(usage.completion_tokens ?? 0)];
  const tokens = words.tokensOf(count(video), prompt, said);
  const { first_token, total } = timings_ms;
  return (
    <Fold label={words.label} testId="report">
      <div className="space-y-4 pt-1 text-sm">
        {answer.video_report.map((report, index) => (
          <Rows key={index} rows={videoRows(report)} notes={report.warnings} />
        ))}
        <Rows
          rows={[
            [words.tokens, tokens + (cached > 0 ? words.cached(count(cached)) : '')],
            [words.model, [answer.model, answer.backend].filter(Boolean).join(' · ')],
            ...(first_token !== undefined && total !== undefined
              ? [[words.time, words.times(duration(first_token / 1000), duration(total / 1000))]]
              : []),
          ]}
          notes={[]}
        />
      </div>
    </Fold>
  );
}

function videoRows(report: VideoReport): string[][] {
  const size = ui.plan.size(report.width, report.height);
  const turned = report.rotation_deg === 0 ? [] : [words.rotated(report.rotation_deg)];
  const fps = words.perSecond(report.fps.toFixed(2).replace(/\.?0+$/, ''));
  const rate = report.variable_frame_rate ? [fps, words.vfr] : [fps];
  return [
    [words.file, [report.source, report.container, report.codec].filter(Boolean).join(' · ')],
    [words.picture, [size, ...turned, ...rate, clock(report.duration_s, true)].join(' · ')],
    [words.frames, words.framesOf(count(report.frames.length), count(report.frames_total))],
    [words.seenAs, ui.plan.size(report.resized_width, report.resized_height)],
    [words.limits, report.limits.length > 0 ? report.limits.join(', ') : words.noLimits],
    [words.sound, words.audio[report.audio] ?? report.audio],
    [words.subtitles, words.subtitle[report.subtitles] ?? report.subtitles],
  ];
}

function Rows({ rows, notes }: { rows: string[][]; notes: string[] }) {
  return (
    <dl className="grid grid-cols-[7.5rem_1fr] gap-x-4 gap-y-1">
      {[...rows, ...notes.map((note) => [words.warnings, note])].map(([name, value], index) => (
        <div key={index} className="contents">
          <dt className="text-soft">{name}</dt>
          <dd className="wrap-anywhere tabular-nums">{value}</dd>
        </div>
      ))}
    </dl>
  );
}
