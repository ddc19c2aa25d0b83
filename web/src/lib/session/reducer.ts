import type { StoredProblem } from '../api/problem';
import type { RunEvent, StoredVideo } from '../api/types';
import { applyEvent, end } from './attempt';
import {
  defaultParams,
  isRunning,
  type Attempt,
  type Params,
  type Session,
  type Turn,
  type Video,
} from './types';

export type Action =
  | { type: 'video-added'; video: Video }
  | { type: 'video-sending'; key: string; sent: number; total: number; now: number }
  | { type: 'video-stored'; key: string; stored: StoredVideo }
  | { type: 'video-failed'; key: string; problem: StoredProblem }
  | { type: 'video-stopped'; key: string }
  | { type: 'video-removed'; key: string }
  | { type: 'video-activated'; key: string }
  | { type: 'params-changed'; params: Partial<Params> }
  | { type: 'asked'; turnId: string; attempt: Attempt; question: string }
  | { type: 'retried'; turnId: string; attempt: Attempt }
  | { type: 'prepared'; attemptId: string }
  | { type: 'event'; attemptId: string; event: RunEvent; now: number }
  | { type: 'reconnecting'; attemptId: string }
  | { type: 'failed'; attemptId: string; problem: StoredProblem; now: number }
  | { type: 'cancelled'; attemptId: string; now: number }
  | { type: 'attempt-shown'; turnId: string; index: number }
  | { type: 'opened'; session: Session };

export function emptySession(id: string): Session {
  return { id, videos: [], activeKey: null, params: defaultParams, turns: [] };
}

export function reduce(session: Session, action: Action): Session {
  switch (action.type) {
    case 'video-added':
      return {
        ...session,
        videos: [...session.videos, action.video],
        activeKey: session.activeKey ?? action.video.key,
      };
    case 'video-removed': {
      const videos = session.videos.filter((video) => video.key !== action.key);
      const active = videos.some((video) => video.key === session.activeKey);
      const activeKey = active ? session.activeKey : (videos[0]?.key ?? null);
      return { ...session, videos, activeKey, params: { ...session.params, trim: null } };
    }
    case 'video-activated':
      return { ...session, activeKey: action.key };
    case 'video-sending':
    case 'video-stored':
    case 'video-failed':
    case 'video-stopped':
      return onVideo(session, action.key, (video) => moveVideo(video, action));
    case 'params-changed':
      return { ...session, params: { ...session.params, ...action.params } };
    case 'asked': {
      const { turnId: id, question, attempt } = action;
      const turn = { id, question, attempts: [attempt], shown: 0 };
      return { ...session, turns: [...session.turns, turn] };
    }
    case 'retried':
      return onTurn(session, action.turnId, (turn) => ({
        ...turn,
        attempts: [...turn.attempts, action.attempt],
        shown: turn.attempts.length,
      }));
    case 'attempt-shown':
      return onTurn(session, action.turnId, (turn) => ({ ...turn, shown: action.index }));
    case 'opened':
      return action.session;
    default:
      return onAttempt(session, action.attemptId, (attempt) => moveAttempt(attempt, action));
  }
}

type VideoAction = Extract<
  Action,
  { type: 'video-sending' | 'video-stored' | 'video-failed' | 'video-stopped' }
>;

function moveVideo(video: Video, action: VideoAction): Video {
  switch (action.type) {
    case 'video-sending': {
      const before = video.upload.state === 'sending' ? video.upload : null;
      const startedAt = before?.startedAt || action.now; // 0: not yet begun
      const seconds = (action.now - startedAt) / 1000;
      const bytesPerS = seconds > 0 ? action.sent / seconds : 0;
      const { sent, total } = action;
      const upload = { state: 'sending', sent, total, startedAt, bytesPerS } as const;
      return { ...video, id: null, source: null, upload };
    }
    case 'video-stored': {
      const { id, video_report } = action.stored;
      const report = video_report[0] ?? null;
      return { ...video, id, source: `tru://videos/${id}`, report, upload: { state: 'ready' } };
    }
    case 'video-failed':
      return { ...video, upload: { state: 'failed', problem: action.problem } };
    case 'video-stopped':
      return { ...video, upload: { state: 'stopped' } };
  }
}

type AttemptAction = Extract<
  Action,
  { type: 'prepared' | 'event' | 'reconnecting' | 'failed' | 'cancelled' }
>;

function moveAttempt(attempt: Attempt, action: AttemptAction): Attempt {
  if (!isRunning(attempt)) return attempt;
  switch (action.type) {
    case 'prepared':
      return attempt.phase === 'uploading' ? { ...attempt, phase: 'queued' } : attempt;
    case 'event':
      return applyEvent(attempt, action.event, action.now);
    case 'reconnecting':
      return { ...attempt, reconnecting: true };
    case 'failed':
      return end(attempt, 'failed', action.problem, action.now);
    case 'cancelled':
      return end(attempt, 'cancelled', null, action.now);
  }
}

function onVideo(session: Session, key: string, move: (video: Video) => Video): Session {
  const videos = session.videos.map((video) => (video.key === key ? move(video) : video));
  return { ...session, videos };
}

function onTurn(session: Session, id: string, move: (turn: Turn) => Turn): Session {
  const turns = session.turns.map((turn) => (turn.id === id ? move(turn) : turn));
  return { ...session, turns };
}

function onAttempt(session: Session, id: string, move: (attempt: Attempt) => Attempt): Session {
  const turns = session.turns.map((turn) => {
    if (!turn.attempts.some((attempt) => attempt.id === id)) return turn;
    const attempts = turn.attempts.map((attempt) => (attempt.id === id ? move(attempt) : attempt));
    return { ...turn, attempts };
  });
  return { ...session, turns };
}
