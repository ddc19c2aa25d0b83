// What crosses the wire, as the service declares it.

export type Profile = 'checkpoint' | 'quick' | 'balanced' | 'detailed';
export type Stage = 'download' | 'decode' | 'vision' | 'prefill';

/** Unset fields are left out: the service's settings then apply. */
export interface VideoParams {
  fps?: number;
  num_frames?: number;
  max_frames?: number;
  min_pixels?: number;
  max_pixels?: number;
  total_pixels?: number;
  start_s?: number;
  end_s?: number;
  profile?: Profile;
}

export interface GenerationParams {
  max_tokens?: number;
  temperature?: number;
  top_p?: number;
  top_k?: number;
  seed?: number;
}

export interface VideoReport {
  source: string;
  container: string;
  codec: string;
  duration_s: number;
  width: number;
  height: number;
  rotation_deg: number;
  fps: number;
  variable_frame_rate: boolean;
  frames_total: number;
  frames: { index: number; time_s: number }[];
  resized_width: number;
  resized_height: number;
  grid_thw: number[];
  video_tokens: number;
  timestamps_s: number[];
  limits: string[];
  audio: string;
  subtitles: string;
  warnings: string[];
}

export interface StoredVideo {
  id: string;
  sha256: string;
  bytes: number;
  video_report: VideoReport[];
}

export interface Plan {
  video_report: VideoReport[];
  estimate: {
    prompt_tokens: number;
    memory_bytes: number;
    first_token_s: number;
    fits: boolean;
  };
}

export interface Usage {
  prompt_tokens: number;
  completion_tokens: number;
  total_tokens: number;
  cached_tokens?: number;
  prompt_tokens_details?: { cached_tokens?: number };
}

export type Timings = Partial<
  Record<
    'load' | 'download' | 'decode' | 'vision' | 'prefill' | 'first_token' | 'generate' | 'total',
    number
  >
>;

export interface Answer {
  response: string;
  model: string;
  backend: string;
  finish_reason: string;
  usage: Usage;
  video_report: VideoReport[];
  timings_ms: Timings;
}

export interface ErrorBody {
  code: string;
  message: string;
  field: string | null;
  request_id: string | null;
  retryable: boolean;
  retry_after_s: number | null;
}

export interface Health {
  status: string;
  version: string;
  model: { loaded: boolean; demo: boolean; backend: string; path: string; name?: string };
  gpu: {
    available: boolean;
    count: number;
    devices: {
      id: number;
      name: string;
      memory_allocated_gb: number;
      memory_reserved_gb: number;
    }[];
  };
  cpu?: unknown;
  memory?: unknown;
  queue: { waiting: number; running: number; capacity: number };
}

/** What a running request tells, in order. `id` is where a reader takes the stream up again. */
export type RunEvent = { id: string | null } & (
  | { kind: 'queued'; position: number }
  | { kind: 'progress'; stage: string; done: number; total: number }
  | { kind: 'token'; text: string }
  | { kind: 'done'; answer: Answer }
  | { kind: 'error'; error: ErrorBody }
);
