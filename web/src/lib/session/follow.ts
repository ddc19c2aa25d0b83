// Reads one question's stream to its end, over broken connections and restarts of the page.
import { Problem } from '../api/problem';
import { ask, resume, type Question } from '../api/run';
import type { RunEvent } from '../api/types';

/** Waits between tries; together less than the 30 s for which the service keeps a request alive. */
const retryMs = [250, 500, 1000, 2000, 4000, 5000, 5000, 5000];

export interface Listener {
  onEvent(event: RunEvent): void;
  onReconnecting(): void;
}

function wait(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const stop = () => {
      clearTimeout(timer);
      reject(signal.reason as Error);
    };
    const timer = setTimeout(() => {
      signal.removeEventListener('abort', stop);
      resolve();
    }, ms);
    signal.addEventListener('abort', stop);
    if (signal.aborted) stop();
  });
}

function gone(error: unknown): boolean {
  return error instanceof Problem && (error.status === 404 || error.status === 410);
}

/**
 * Asks `question` as the request `requestId`; if it is null, that request is taken up after
 * the event `lastEventId`. Throws what the question is refused for, and what waiting cannot mend.
 */
export async function follow(
  question: Question | null,
  requestId: string,
  lastEventId: string | null,
  listener: Listener,
  signal: AbortSignal,
): Promise<void> {
  let stream = question && (await ask(question, requestId, signal));
  for (let tries = 0; ; tries += 1) {
    try {
      stream ??= await resume(requestId, lastEventId, signal);
      for await (const event of stream) {
        lastEventId = event.id ?? lastEventId;
        tries = 0;
        listener.onEvent(event);
        if (event.kind === 'done' || event.kind === 'error') return;
      }
    } catch (error) {
      if (gone(error)) throw new Problem('stream_expired', '', 410);
      if (!(error instanceof Problem && error.code === 'offline')) throw error;
    }
    const pause = retryMs[tries];
    if (pause === undefined) throw new Problem('offline', '');
    stream = null;
    listener.onReconnecting();
    await wait(pause, signal);
  }
}
