import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import type { Question } from '../api/run';
import { newAttempt } from './attempt';
import type { Action } from './reducer';
import { Runner } from './runner';
import { defaultParams } from './types';

const minute = 60_000;
const question: Question = { videos: [], prompt: 'What?', earlier: [], video: {}, generation: {} };

let asked: string[];
let actions: Action[];
let runner: Runner;

beforeEach(() => {
  vi.useFakeTimers();
  vi.stubGlobal('localStorage', { getItem: () => null });
  asked = [];
  actions = [];
  runner = new Runner((action) => void actions.push(action));
  // A service that takes every question and says nothing.
  vi.stubGlobal('fetch', (url: string, init: RequestInit) => {
    asked.push(`${init.method} ${url}`);
    return new Promise((_, reject) => {
      init.signal?.addEventListener('abort', () => reject(new Error('aborted')));
    });
  });
});
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

const attempt = newAttempt('a1', defaultParams, 0);
const last = () => actions.at(-1);

it('gives up after the time that is allowed, and tells the service', async () => {
  void runner.run(attempt, () => Promise.resolve(question));
  await vi.advanceTimersByTimeAsync(9.9 * minute);
  expect(last()).toMatchObject({ type: 'prepared' });
  await vi.advanceTimersByTimeAsync(0.2 * minute);
  expect(last()).toMatchObject({ type: 'failed', problem: { code: 'timeout' } });
  expect(asked).toEqual(['POST /v1/chat/completions', 'DELETE /v1/requests/a1']);
});

it('does not count the time of the upload', async () => {
  const upload = () =>
    new Promise<Question>((done) => setTimeout(() => done(question), 30 * minute));
  void runner.run(attempt, upload);
  await vi.advanceTimersByTimeAsync(35 * minute);
  expect(last()).toMatchObject({ type: 'prepared' });
  await vi.advanceTimersByTimeAsync(6 * minute);
  expect(last()).toMatchObject({ type: 'failed', problem: { code: 'timeout' } });
});

it('cancels one that waits for its upload', async () => {
  const stopped = (signal: AbortSignal) =>
    new Promise<Question>((_, reject) => {
      signal.addEventListener('abort', () => reject(signal.reason));
    });
  void runner.run(attempt, stopped);
  runner.cancel('a1');
  await vi.advanceTimersByTimeAsync(1);
  expect(last()).toMatchObject({ type: 'cancelled', attemptId: 'a1' });
});
