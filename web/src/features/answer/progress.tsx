'use client';

import { Bar } from '@/components/bar';
import { Button } from '@/components/button';
import { Icon } from '@/components/icon';
import { duration } from '@/lib/format';
import { share } from '@/lib/session/attempt';
import type { Attempt, Video } from '@/lib/session/types';
import { ui } from '@/lib/strings/ui';
import { useTick } from '@/lib/use-tick';

interface Props {
  attempt: Attempt;
  videos: Video[];
  onCancel: () => void;
}

/** Where a running question is. */
export function ProcessingState({ attempt, videos, onCancel }: Props) {
  const now = useTick(true, 200);
  const elapsed = Math.max(0, now - attempt.startedAt) / 1000;
  const sending = videos.flatMap(({ upload }) => (upload.state === 'sending' ? [upload] : []));
  return (
    <div data-testid="progress" className="rounded-xl border border-line bg-card p-4">
      <div className="flex items-center gap-3">
        <div className="min-w-0 flex-1">
          <p role="status" className="font-medium">
            {headlineOf(attempt)}
          </p>
          <p className="text-sm text-soft tabular-nums">{ui.run.elapsed(duration(elapsed))}</p>
        </div>
        <Button data-testid="cancel" icon="close" onClick={onCancel}>
          {ui.ask.stop}
        </Button>
      </div>
      <Stages attempt={attempt} sending={sending} />
    </div>
  );
}

export function headlineOf(attempt: Attempt): string {
  if (attempt.reconnecting) return ui.run.reconnecting;
  switch (attempt.phase) {
    case 'uploading':
      return ui.run.uploading;
    case 'queued':
      return ui.run.queued(attempt.position);
    case 'working':
      return stageName(attempt.stages.at(-1)?.name ?? '');
    default:
      return ui.run.answering;
  }
}

const stageName = (stage: string) => ui.run.stages[stage] ?? ui.run.working;

type Sending = { sent: number; total: number }[];

function Stages({ attempt, sending }: { attempt: Attempt; sending: Sending }) {
  if (attempt.phase === 'answering') return null;
  if (attempt.phase === 'uploading') {
    const sent = sending.reduce((sum, upload) => sum + upload.sent, 0);
    const total = sending.reduce((sum, upload) => sum + upload.total, 0);
    return (
      <div className="mt-3">
        <Bar share={share({ done: sent, total })} label={ui.run.uploading} />
      </div>
    );
  }
  return (
    <ul className="mt-3 space-y-2">
      {attempt.stages.map((stage) => {
        const done = stage.total > 0 && stage.done >= stage.total;
        return (
          <li key={stage.name} className="flex items-center gap-3 text-sm">
            <span className={`w-36 shrink-0 ${done ? 'text-soft' : ''}`}>
              {stageName(stage.name)}
            </span>
            {done ? (
              <Icon name="check" className="size-4 text-good" />
            ) : (
              <Bar share={share(stage)} label={stageName(stage.name)} />
            )}
          </li>
        );
      })}
      {attempt.stages.length === 0 && (
        <li>
          <Bar share={null} label={headlineOf(attempt)} />
        </li>
      )}
    </ul>
  );
}
