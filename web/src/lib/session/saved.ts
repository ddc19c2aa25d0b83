// The session outlives a reload of its tab, and nothing else.
import { Problem, storable } from '../api/problem';
import { end } from './attempt';
import { isRunning, type Attempt, type Session } from './types';

const name = 'tru.session';

export function saveSession(session: Session): void {
  try {
    sessionStorage.setItem(name, JSON.stringify(session));
  } catch {
    // Full or forbidden: only the comfort after a reload is lost.
  }
}

/** The session before the reload; what a reload cannot keep is told as such. */
export function loadSession(now: number): Session | null {
  let session: Session | null;
  try {
    session = JSON.parse(sessionStorage.getItem(name) ?? 'null') as Session | null;
  } catch {
    return null;
  }
  if (!session || !Array.isArray(session.turns)) return null;
  return {
    ...session,
    // A file that was still on its way is gone with the old page.
    videos: session.videos.map((video) =>
      video.upload.state === 'sending' ? { ...video, upload: { state: 'stopped' } } : video,
    ),
    turns: session.turns.map((turn) => ({
      ...turn,
      attempts: turn.attempts.map((attempt) => settle(attempt, now)),
    })),
  };
}

function settle(attempt: Attempt, now: number): Attempt {
  if (!isRunning(attempt) || attempt.phase !== 'uploading') return attempt;
  return end(attempt, 'failed', storable(new Problem('interrupted', '')), now);
}
