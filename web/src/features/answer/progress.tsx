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
  const begun = attempt.stages.map((stage) => stage.name);
  const ahead = usual.filter((name) => !begun.includes(name));
  return (
    <ul className="mt-3 space-y-2">
      {attempt.stages.map((stage) => (
        <StageRow key={stage.name} name={stage.name} part={share(stage)} />
      ))}
      {ahead.map((name) => (
        <StageRow key={name} name={name} part={0} />
      ))}
    </ul>
  );
}

const usual = ['decode', 'vision', 'prefill'];

function StageRow({ name, part }: { name: string; part: number | null }) {
  const waiting = part === 0;
  return (
    <li className={`flex items-center gap-3 text-sm ${waiting || part === 1 ? 'text-soft' : ''}`}>
      <span className="w-36 shrink-0">{stageName(name)}</span>
      {part === 1 ? (
        <Icon name="check" className="size-4 text-good" />
      ) : (
        !waiting && <Bar share={part} label={stageName(name)} />
      )}
    </li>
  );
}
