// How one event moves an attempt. Pure: the same events give the same attempt after a reload.
import { Problem, storable, type StoredProblem } from '../api/problem';
import type { RunEvent } from '../api/types';
import type { Attempt, Params } from './types';

export function newAttempt(id: string, params: Params, now: number): Attempt {
  return {
    id,
    params,
    phase: 'uploading',
    lastEventId: null,
    position: 0,
    stages: [],
    text: '',
    answer: null,
    problem: null,
    startedAt: now,
    endedAt: null,
    reconnecting: false,
  };
}

export function applyEvent(attempt: Attempt, event: RunEvent, now: number): Attempt {
  if (attempt.endedAt !== null) return attempt;
  const next = { ...attempt, lastEventId: event.id ?? attempt.lastEventId, reconnecting: false };
  switch (event.kind) {
    case 'queued':
      return { ...next, phase: 'queued', position: event.position };
    case 'progress':
      return { ...next, phase: 'working', stages: withStage(attempt.stages, event) };
    case 'token':
      return { ...next, phase: 'answering', text: attempt.text + event.text };
    case 'done':
      return {
        ...next,
        phase: 'done',
        text: event.answer.response || attempt.text,
        answer: event.answer,
        endedAt: now,
      };
    case 'error':
      if (event.error.code === 'cancelled') return end(next, 'cancelled', null, now);
      return end(next, 'failed', storable(Problem.from(event.error)), now);
  }
}

export function end(
  attempt: Attempt,
  phase: 'failed' | 'cancelled',
  problem: StoredProblem | null,
  now: number,
): Attempt {
  return { ...attempt, phase, problem, endedAt: now, reconnecting: false };
}

type Stages = Attempt['stages'];

function withStage(stages: Stages, event: { stage: string; done: number; total: number }): Stages {
  const { stage: name, done, total } = event;
  const known = stages.some((stage) => stage.name === name);
  if (!known) return [...stages, { name, done, total }];
  return stages.map((stage) => (stage.name === name ? { name, done, total } : stage));
}

/** How much of a stage is done, 0..1; null when nobody knows. */
export function share(stage: { done: number; total: number }): number | null {
  return stage.total > 0 ? Math.min(1, stage.done / stage.total) : null;
}
