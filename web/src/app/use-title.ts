import { useEffect } from 'react';
import { headlineOf } from '@/features/answer/progress';
import { percent } from '@/lib/format';
import { share } from '@/lib/session/attempt';
import { runningAttempt, type Session } from '@/lib/session/types';
import { ui } from '@/lib/strings/ui';

function titleOf(session: Session): string {
  const running = runningAttempt(session)?.attempt;
  if (!running) return ui.title;
  const stage = running.phase === 'working' ? running.stages.at(-1) : undefined;
  const part = stage ? share(stage) : null;
  const head = headlineOf(running);
  return `${part === null ? head : `${percent(part)} ${head}`} · ${ui.name}`;
}

/** The tab's title says how far a running question is. */
export function useTitle(session: Session): void {
  const title = titleOf(session);
  useEffect(() => {
    document.title = title;
  }, [title]);
}
