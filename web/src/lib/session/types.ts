// What one tab holds: the videos, the settings and the conversation about them.
import type { StoredProblem } from '../api/problem';
import type { Answer, GenerationParams, Profile, VideoParams, VideoReport } from '../api/types';

export type Upload =
  | { state: 'sending'; sent: number; total: number; startedAt: number; bytesPerS: number }
  | { state: 'ready' }
  | { state: 'failed'; problem: StoredProblem }
  | { state: 'stopped' };

export interface Video {
  key: string;
  /** A file is uploaded by the page; a URL is fetched by the service when it is asked about. */
  kind: 'file' | 'url';
  name: string;
  bytes: number;
  /** `tru://videos/{id}` once uploaded, or the URL. */
  source: string | null;
  id: string | null;
  upload: Upload;
  report: VideoReport | null;
}

/** Null is unset: the profile or the service decides. */
export interface Params {
  profile: Profile;
  fps: number | null;
  num_frames: number | null;
  max_frames: number | null;
  min_pixels: number | null;
  max_pixels: number | null;
  total_pixels: number | null;
  trim: [number, number] | null;
  temperature: number | null;
  top_p: number | null;
  top_k: number | null;
  max_tokens: number | null;
  seed: number | null;
  timeoutMin: number;
}

export type Phase =
  'uploading' | 'queued' | 'working' | 'answering' | 'done' | 'failed' | 'cancelled';

/** One try at a question, with the settings it was made with. */
export interface Attempt {
  /** Also the id of its request. */
  id: string;
  params: Params;
  phase: Phase;
  /** The last event read: text and progress below are exactly up to it. */
  lastEventId: string | null;
  position: number;
  /** In the order in which they began; they may overlap. */
  stages: { name: string; done: number; total: number }[];
  text: string;
  answer: Answer | null;
  problem: StoredProblem | null;
  startedAt: number;
  endedAt: number | null;
  /** The connection is lost and being taken up again. */
  reconnecting: boolean;
}

export interface Turn {
  id: string;
  question: string;
  attempts: Attempt[];
  /** Index of the attempt that is shown and that follow-ups build on. */
  shown: number;
}

export interface Session {
  id: string;
  videos: Video[];
  activeKey: string | null;
  params: Params;
  turns: Turn[];
}

export const isRunning = (attempt: Attempt) => attempt.endedAt === null;

export function runningAttempt(session: Session): { turn: Turn; attempt: Attempt } | null {
  for (const turn of session.turns) {
    const attempt = turn.attempts.find(isRunning);
    if (attempt) return { turn, attempt };
  }
  return null;
}

export const defaultParams: Params = {
  profile: 'balanced',
  fps: null,
  num_frames: null,
  max_frames: null,
  min_pixels: null,
  max_pixels: null,
  total_pixels: null,
  trim: null,
  temperature: null,
  top_p: null,
  top_k: null,
  max_tokens: null,
  seed: null,
  timeoutMin: 10,
};

function set<T extends object>(values: { [K in keyof T]?: T[K] | null }): T {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== null)) as T;
}

export function videoParams(params: Params): VideoParams {
  const { profile, fps, num_frames, trim } = params;
  return set<VideoParams>({
    profile,
    fps: num_frames === null ? fps : null, // one excludes the other
    num_frames,
    max_frames: params.max_frames,
    min_pixels: params.min_pixels,
    max_pixels: params.max_pixels,
    total_pixels: params.total_pixels,
    start_s: trim && trim[0] > 0 ? trim[0] : null,
    end_s: trim ? trim[1] : null,
  });
}

export function generationParams(params: Params): GenerationParams {
  const { temperature, top_p, top_k, max_tokens, seed } = params;
  return set<GenerationParams>({ temperature, top_p, top_k, max_tokens, seed });
}
