// What crosses the wire, as the service declares it.
import type { components } from '@openapi'; // made by `npm run types`

type Schemas = components['schemas'];

export type VideoReport = Schemas['VideoReport'];
export type StoredVideo = Schemas['Video'];
export type Plan = Schemas['Plan'];
export type Health = Schemas['Detailed'];
export type ErrorBody = Schemas['ErrorDetail'];
export type ErrorCode = ErrorBody['code'];

export type Profile = 'checkpoint' | 'quick' | 'balanced' | 'detailed';

type Known<T> = { [K in keyof T]?: NonNullable<T[K]> };

/** Unset fields are left out: the service's settings then apply. */
export type VideoParams = Known<Schemas['VideoParams']>;
export type GenerationParams = Known<Schemas['GenerationParams']>;

/** Of both routes; a conversation's answer says how many tokens were cached in another place. */
export type Answer = Pick<Schemas['Answer'], 'response' | 'backend' | 'model' | 'finish_reason'> &
  Pick<Schemas['Answer'], 'video_report'> & {
    usage: Partial<Schemas['Usage'] & Schemas['ChatUsage']>;
    timings_ms: Partial<Schemas['Timings']>;
  };

/** What a running request tells, in order. `id` is where a reader takes the stream up again. */
export type RunEvent = { id: string | null } & (
  | { kind: 'queued'; position: number }
  | { kind: 'progress'; stage: string; done: number; total: number }
  | { kind: 'token'; text: string }
  | { kind: 'done'; answer: Answer }
  | { kind: 'error'; error: ErrorBody }
);
