'use client';

import { useEffect, useMemo, useReducer, useRef } from 'react';
import { deleteVideo } from '../api/client';
import { Problem } from '../api/problem';
import type { Question } from '../api/run';
import { checkUrl } from '../file-check';
import { remember } from '../history';
import { newAttempt } from './attempt';
import { emptySession, reduce } from './reducer';
import { Runner } from './runner';
import { loadSession, saveSession } from './saved';
import {
  generationParams,
  isRunning,
  videoParams,
  type Attempt,
  type Params,
  type Session,
  type Turn,
  type Video,
} from './types';
import { Uploads } from './uploads';

const newId = () => `${Date.now().toString(36)}-${Math.random().toString(36).slice(2, 10)}`;

/** What the answers that are shown say, before the turn `until`. */
function earlierThan(turns: Turn[], until = turns.length): Question['earlier'] {
  return turns.slice(0, until).flatMap((turn) => {
    const shown = turn.attempts[turn.shown];
    return shown?.phase === 'done' ? [{ question: turn.question, answer: shown.text }] : [];
  });
}

/** Rejects when `signal` aborts before `promise` settles. */
function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  const aborted = new Promise<never>((_, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason as Error));
  });
  return Promise.race([promise, aborted]);
}

/** The state of the page and everything that can be done to it. */
export function useSession() {
  const [session, dispatch] = useReducer(reduce, 'new', emptySession);
  const restored = session.id !== 'new';
  const uploads = useMemo(() => new Uploads(dispatch), []);
  const runner = useMemo(() => new Runner(dispatch), []);

  useEffect(() => {
    const saved = loadSession(Date.now()) ?? emptySession(newId());
    dispatch({ type: 'opened', session: saved });
    for (const attempt of saved.turns.flatMap((turn) => turn.attempts).filter(isRunning)) {
      void runner.run(attempt, null);
    }
  }, [runner]);

  useEffect(() => {
    if (restored) saveSession(session);
  }, [session, restored]);

  useKeepHistory(session, restored);

  function start(prompt: string, videos: Video[], earlier: Question['earlier'], attempt: Attempt) {
    for (const video of videos) {
      if (video.source === null && video.upload.state !== 'sending') uploads.again(video.key);
    }
    const sources = () =>
      videos.map(({ key, name, source }) => {
        const stored = uploads.source(key) ?? (source === null ? null : Promise.resolve(source));
        if (!stored) throw new Problem('client_file_gone', name); // with a reload
        return stored;
      });
    void runner.run(attempt, async (signal) => ({
      videos: await unlessAborted(Promise.all(sources()), signal),
      prompt,
      earlier,
      video: videoParams(attempt.params),
      generation: generationParams(attempt.params),
    }));
  }

  return {
    session,
    /** False in the page as it was built, before its script runs. */
    restored,
    /** Where the player finds a video's own file, if this tab has it. */
    localUrl: (key: string) => uploads.url(key),

    /** A file that cannot be used is told as a failed upload. */
    addFile(file: File): void {
      const key = newId();
      dispatch({ type: 'video-added', video: fileEntry(key, file) });
      uploads.start(key, file);
    },

    addUrl(text: string): void {
      dispatch({ type: 'video-added', video: urlEntry(newId(), checkUrl(text)) });
    },

    removeVideo(video: Video): void {
      uploads.drop(video.key);
      dispatch({ type: 'video-removed', key: video.key });
      const shared = session.videos.filter((other) => other.id === video.id).length > 1;
      if (video.id && !shared) deleteVideo(video.id).catch(() => undefined);
    },

    uploadAgain: (key: string) => uploads.again(key),
    activate: (key: string) => dispatch({ type: 'video-activated', key }),
    setParams: (params: Partial<Params>) => dispatch({ type: 'params-changed', params }),

    /** Asks about the videos, and about the one behind `link` if there is one. */
    ask(question: string, link: string): void {
      const linked = link.trim() === '' ? null : urlEntry(newId(), checkUrl(link));
      if (linked) dispatch({ type: 'video-added', video: linked });
      const now = Date.now();
      const attempt = newAttempt(newId(), session.params, now);
      dispatch({ type: 'asked', turnId: newId(), attempt, question });
      const videos = linked ? [...session.videos, linked] : session.videos;
      start(question, videos, earlierThan(session.turns), attempt);
    },

    retry(turnId: string, params: Params): void {
      const index = session.turns.findIndex((other) => other.id === turnId);
      const turn = session.turns[index];
      if (!turn) return;
      // The service may have lost its videos with a restart; this tab still has the files.
      if (turn.attempts.at(-1)?.problem?.status === 404) {
        for (const video of session.videos) uploads.again(video.key);
      }
      const attempt = newAttempt(newId(), params, Date.now());
      dispatch({ type: 'retried', turnId, attempt });
      start(turn.question, session.videos, earlierThan(session.turns, index), attempt);
    },

    cancel(attempt: Attempt): void {
      runner.cancel(attempt.id);
      if (attempt.phase === 'uploading') {
        for (const video of session.videos) {
          if (video.upload.state === 'sending') uploads.stop(video.key);
        }
      }
    },

    show: (turnId: string, index: number) => dispatch({ type: 'attempt-shown', turnId, index }),

    open(saved: Session | null): void {
      for (const attempt of session.turns.flatMap((turn) => turn.attempts).filter(isRunning)) {
        runner.cancel(attempt.id);
      }
      for (const video of session.videos) uploads.drop(video.key);
      dispatch({ type: 'opened', session: saved ?? emptySession(newId()) });
    },
  };
}

export type SessionControl = ReturnType<typeof useSession>;

/** Puts the conversation into the browser's history whenever an answer is complete. */
function useKeepHistory(session: Session, restored: boolean) {
  const answers = session.turns.flatMap((turn) => turn.attempts).filter((a) => a.phase === 'done');
  const last = Math.max(0, ...answers.map((attempt) => attempt.endedAt ?? 0));
  const kept = useRef(0);
  useEffect(() => {
    if (!restored || last === 0 || last === kept.current) return;
    kept.current = last;
    const title = session.turns[0]?.question ?? '';
    const videos = session.videos.map((video) => video.name);
    remember({ id: session.id, at: last, title, videos, session }).catch(() => undefined);
  }, [session, restored, last]);
}

function fileEntry(key: string, file: File): Video {
  const upload = {
    state: 'sending',
    sent: 0,
    total: file.size,
    startedAt: 0,
    bytesPerS: 0,
  } as const;
  return {
    key,
    kind: 'file',
    name: file.name,
    bytes: file.size,
    source: null,
    id: null,
    upload,
    report: null,
  };
}

function urlEntry(key: string, url: URL): Video {
  const name = decodeURIComponent(url.pathname.split('/').pop() ?? '') || url.hostname;
  return {
    key,
    kind: 'url',
    name,
    bytes: 0,
    source: url.href,
    id: null,
    upload: { state: 'ready' },
    report: null,
  };
}
