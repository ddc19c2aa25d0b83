import { describe, expect, it } from 'vitest';
import type { Answer, RunEvent, StoredVideo } from '../api/types';
import { newAttempt, share } from './attempt';
import { emptySession, reduce, type Action } from './reducer';
import { defaultParams, generationParams, runningAttempt, videoParams, type Video } from './types';

const video = (key: string): Video => ({
  key,
  kind: 'file',
  name: `${key}.mp4`,
  bytes: 1000,
  source: null,
  id: null,
  upload: { state: 'sending', sent: 0, total: 1000, startedAt: 0, bytesPerS: 0 },
  report: null,
});
const answer = { response: 'A circle.', video_report: [] } as unknown as Answer;
const after = (...actions: Action[]) => actions.reduce(reduce, emptySession('s'));
const asked: Action = {
  type: 'asked',
  turnId: 't',
  question: 'What?',
  attempt: newAttempt('a', defaultParams, 100),
};
const event = (e: RunEvent, now = 200): Action => ({
  type: 'event',
  attemptId: 'a',
  event: e,
  now,
});
const attemptOf = (...actions: Action[]) => after(asked, ...actions).turns[0]?.attempts[0];

describe('videos', () => {
  it('shows the first one until it is removed', () => {
    const two: Action[] = [
      { type: 'video-added', video: video('a') },
      { type: 'video-added', video: video('b') },
    ];
    expect(after(...two).activeKey).toBe('a');
    expect(after(...two, { type: 'video-removed', key: 'a' }).activeKey).toBe('b');
    expect(after(...two, { type: 'video-removed', key: 'b' }).activeKey).toBe('a');
  });

  it('measures the speed of an upload and ends with its source', () => {
    const sending = (sent: number, now: number): Action => ({
      type: 'video-sending',
      key: 'a',
      sent,
      total: 1000,
      now,
    });
    const half = after(
      { type: 'video-added', video: video('a') },
      sending(0, 1000),
      sending(500, 3000),
    );
    expect(half.videos[0]?.upload).toMatchObject({ sent: 500, bytesPerS: 250 });
    const stored = { id: 'x', video_report: [] } as unknown as StoredVideo;
    const done = reduce(half, { type: 'video-stored', key: 'a', stored });
    expect(done.videos[0]).toMatchObject({ source: 'tru://videos/x', upload: { state: 'ready' } });
    expect(reduce(done, sending(0, 4000)).videos[0]?.source).toBeNull();
  });
});

describe('an attempt', () => {
  it('goes from upload to answer', () => {
    expect(attemptOf()?.phase).toBe('uploading');
    const steps: Action[] = [
      { type: 'prepared', attemptId: 'a' },
      event({ kind: 'queued', id: '1', position: 2 }),
      event({ kind: 'progress', id: '2', stage: 'decode', done: 1, total: 4 }),
      event({ kind: 'progress', id: '3', stage: 'vision', done: 1, total: 4 }),
      event({ kind: 'progress', id: '4', stage: 'decode', done: 4, total: 4 }),
      event({ kind: 'token', id: '5', text: 'A ' }),
      event({ kind: 'token', id: '6', text: 'circle.' }),
    ];
    expect(attemptOf(...steps.slice(0, 2))).toMatchObject({ phase: 'queued', position: 2 });
    const streaming = attemptOf(...steps);
    expect(streaming).toMatchObject({ phase: 'answering', text: 'A circle.', lastEventId: '6' });
    expect(streaming).toMatchObject({ endedAt: null });
    expect(streaming?.stages).toEqual([
      { name: 'decode', done: 4, total: 4 },
      { name: 'vision', done: 1, total: 4 },
    ]);
    const done = attemptOf(...steps, event({ kind: 'done', id: '7', answer }, 900));
    expect(done).toMatchObject({ phase: 'done', endedAt: 900, answer });
  });

  it('ends once: what comes later changes nothing', () => {
    const cancelled: Action = { type: 'cancelled', attemptId: 'a', now: 300 };
    const late = attemptOf(cancelled, event({ kind: 'token', id: '9', text: 'x' }));
    expect(late).toMatchObject({ phase: 'cancelled', text: '', endedAt: 300 });
  });

  it('tells the error of the service', () => {
    const error = {
      code: 'context_overflow' as const,
      message: '5000 of 4096',
      field: null,
      request_id: 'r',
      retryable: false,
      retry_after_s: null,
    };
    const failed = attemptOf(event({ kind: 'error', id: '1', error }));
    expect(failed).toMatchObject({ phase: 'failed', problem: { code: 'context_overflow' } });
    const stopped = attemptOf(
      event({ kind: 'error', id: '1', error: { ...error, code: 'cancelled' } }),
    );
    expect(stopped).toMatchObject({ phase: 'cancelled', problem: null });
  });

  it('is made again beside the first', () => {
    const again = newAttempt('b', { ...defaultParams, profile: 'quick' }, 400);
    const session = after(asked, event({ kind: 'done', id: '1', answer }), {
      type: 'retried',
      turnId: 't',
      attempt: again,
    });
    expect(session.turns[0]).toMatchObject({ shown: 1, attempts: [{ id: 'a' }, { id: 'b' }] });
    expect(runningAttempt(session)?.attempt.id).toBe('b');
  });
});

it('knows how much of a stage is done', () => {
  expect(share({ done: 1, total: 4 })).toBe(0.25);
  expect(share({ done: 5, total: 4 })).toBe(1);
  expect(share({ done: 5, total: 0 })).toBeNull();
});

it('sends only what is set, and one of fps and num_frames', () => {
  expect(videoParams(defaultParams)).toEqual({ profile: 'balanced' });
  const params = { ...defaultParams, fps: 2, num_frames: 8, trim: [0, 4] as [number, number] };
  expect(videoParams(params)).toEqual({ profile: 'balanced', num_frames: 8, end_s: 4 });
  expect(videoParams({ ...defaultParams, fps: 1, trim: [1, 4] })).toEqual({
    profile: 'balanced',
    fps: 1,
    start_s: 1,
    end_s: 4,
  });
  expect(generationParams({ ...defaultParams, temperature: 0 })).toEqual({ temperature: 0 });
});
