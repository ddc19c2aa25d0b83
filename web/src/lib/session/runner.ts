// The running questions of this tab.
import { cancelRequest } from '../api/client';
import { Problem, storable } from '../api/problem';
import type { Question } from '../api/run';
import { follow } from './follow';
import type { Action } from './reducer';
import type { Attempt } from './types';

const cancelled = 'cancelled by the user';

export class Runner {
  private running = new Map<string, AbortController>();

  constructor(private dispatch: (action: Action) => void) {}

  /** Asks what `prepare` gives (it may wait for an upload); null takes up the attempt's request. */
  async run(attempt: Attempt, prepare: ((signal: AbortSignal) => Promise<Question>) | null) {
    const attemptId = attempt.id;
    if (this.running.has(attemptId)) return;
    const stop = new AbortController();
    this.running.set(attemptId, stop);
    const late = () => this.stop(attemptId, new Problem('timeout', ''));
    let timer: ReturnType<typeof setTimeout> | undefined;
    try {
      const question = prepare ? await prepare(stop.signal) : null;
      // An upload takes what it takes: it shows that it moves, and has a Cancel of its own.
      timer = setTimeout(late, attempt.params.timeoutMin * 60_000);
      this.dispatch({ type: 'prepared', attemptId });
      await follow(
        question,
        attemptId,
        attempt.lastEventId,
        {
          onEvent: (event) => {
            this.dispatch({ type: 'event', attemptId, event, now: Date.now() });
          },
          onReconnecting: () => this.dispatch({ type: 'reconnecting', attemptId }),
        },
        stop.signal,
      );
    } catch (error) {
      const now = Date.now();
      if (error === cancelled) this.dispatch({ type: 'cancelled', attemptId, now });
      else this.dispatch({ type: 'failed', attemptId, problem: storable(error), now });
    } finally {
      clearTimeout(timer);
      this.running.delete(attemptId);
    }
  }

  cancel(attemptId: string): void {
    this.stop(attemptId, cancelled);
  }

  /** Also tells the service: a resumable request would live on without its reader. */
  private stop(attemptId: string, reason: unknown): void {
    const stop = this.running.get(attemptId);
    if (!stop) return;
    stop.abort(reason);
    cancelRequest(attemptId).catch(() => undefined); // it may not have got there
  }
}
