import { ui } from '@/lib/strings/ui';
import type { ServerState } from './use-health';

const looks: Record<ServerState, { dot: string; text: string }> = {
  unknown: { dot: 'bg-edge', text: '' },
  ready: { dot: 'bg-good', text: ui.system.reachable },
  loading: { dot: 'bg-note', text: ui.system.starting },
  down: { dot: 'bg-bad', text: ui.system.unreachable },
  locked: { dot: 'bg-note', text: ui.system.locked },
};

export function StatusPill({ state }: { state: ServerState }) {
  const { dot, text } = looks[state];
  return (
    <span
      role="status"
      data-state={state}
      className="flex h-6 items-center gap-2 text-sm text-soft"
    >
      <span aria-hidden="true" className={`size-2 rounded-full ${dot}`} />
      <span className="max-sm:sr-only">{text}</span>
    </span>
  );
}
