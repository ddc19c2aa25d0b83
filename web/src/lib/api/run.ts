// Asking: one stream of events whichever route answers, taken up again when a connection breaks.
import { call, post } from './client';
import { Problem } from './problem';
import { readEvents, type ServerEvent } from './sse';
import type { Answer, ErrorBody, GenerationParams, RunEvent, VideoParams } from './types';

export interface Question {
  /** `tru://videos/{id}` or http(s), one for each video. */
  videos: string[];
  prompt: string;
  /** What was asked and answered before, about the same videos. */
  earlier: { question: string; answer: string }[];
  video: VideoParams;
  generation: GenerationParams;
}

/** Ends after `done` or `error`; when the connection breaks, it just ends. */
export type RunEvents = AsyncGenerator<RunEvent>;

const accept = { Accept: 'text/event-stream' };

/**
 * Starts a question as the request `requestId`, which can be taken up and cancelled by that
 * name even if nothing of its answer arrives.
 */
export async function ask(
  question: Question,
  requestId: string,
  signal: AbortSignal,
): Promise<RunEvents> {
  const init = { headers: { ...accept, 'X-Request-ID': requestId }, signal };
  const [only, ...others] = question.videos;
  if (only !== undefined && others.length === 0 && question.earlier.length === 0) {
    const body = {
      video_url: only,
      prompt: question.prompt,
      video_params: question.video,
      generation_params: question.generation,
      stream: true,
      resumable: true,
    };
    return events(await post('/v1/inference/url', body, init));
  }
  return events(await post('/v1/chat/completions', chatBody(question), init));
}

/** Takes a running request up again, after the event `lastId`. */
export async function resume(
  requestId: string,
  lastId: string | null,
  signal: AbortSignal,
): Promise<RunEvents> {
  const last: Record<string, string> = lastId === null ? {} : { 'Last-Event-ID': lastId };
  const headers = { ...accept, ...last };
  return events(await call(`/v1/requests/${requestId}/events`, { headers, signal }));
}

function chatBody({ videos, prompt, earlier, video, generation }: Question) {
  const media = videos.map((url) => ({ type: 'video_url', video_url: { url } }));
  const texts = [...earlier.map((turn) => turn.question), prompt];
  const messages = texts.flatMap((text, index) => {
    const said = { type: 'text', text };
    const user = { role: 'user', content: index === 0 ? [...media, said] : [said] };
    const before = earlier[index];
    return before ? [user, { role: 'assistant', content: before.answer }] : [user];
  });
  return {
    model: 'tru',
    messages,
    video_params: video,
    ...generation,
    stream: true,
    stream_options: { include_usage: true },
    resumable: true,
  };
}

async function* events(response: Response): RunEvents {
  if (!response.body) throw new Problem('offline', '');
  const chat = new ChatStream();
  try {
    for await (const event of readEvents(response.body)) {
      const read = event.event === 'message' ? chat.read(event) : named(event);
      if (!read) continue;
      yield read;
      if (read.kind === 'done' || read.kind === 'error') return;
    }
  } catch (error) {
    if (error instanceof TypeError) return; // the connection broke: the caller takes it up again
    throw error;
  }
}

function named(event: ServerEvent): RunEvent | null {
  const data = JSON.parse(event.data) as Record<string, unknown>;
  const id = event.id;
  switch (event.event) {
    case 'queued':
      return { kind: 'queued', id, position: Number(data.position ?? 0) };
    case 'progress':
      return {
        kind: 'progress',
        id,
        stage: String(data.stage),
        done: Number(data.done),
        total: Number(data.total),
      };
    case 'token':
      return { kind: 'token', id, text: String(data.text) };
    case 'done':
      return { kind: 'done', id, answer: data as unknown as Answer };
    case 'error':
      return { kind: 'error', id, error: (data.error ?? data) as ErrorBody };
    default:
      return null; // an event of a newer service
  }
}

interface ChatChunk {
  model?: string;
  choices?: { delta?: { content?: string }; finish_reason?: string | null }[];
  usage?: Answer['usage'] | null;
  tru?: Partial<Pick<Answer, 'video_report' | 'timings_ms' | 'backend'>>;
  error?: ErrorBody;
}

/** Gathers the chunks of an OpenAI-style stream into the same events. */
class ChatStream {
  private answer: Answer = {
    response: '',
    model: '',
    backend: '',
    finish_reason: '',
    usage: { prompt_tokens: 0, completion_tokens: 0, total_tokens: 0 },
    video_report: [],
    timings_ms: {},
  };

  read(event: ServerEvent): RunEvent | null {
    const id = event.id;
    if (event.data === '[DONE]') return { kind: 'done', id, answer: this.answer };
    const chunk = JSON.parse(event.data) as ChatChunk;
    if (chunk.error) return { kind: 'error', id, error: chunk.error };
    if (chunk.model) this.answer.model = chunk.model;
    if (chunk.usage) this.answer.usage = chunk.usage;
    Object.assign(this.answer, chunk.tru);
    const choice = chunk.choices?.[0];
    if (choice?.finish_reason) this.answer.finish_reason = choice.finish_reason;
    const text = choice?.delta?.content;
    if (!text) return null;
    this.answer.response += text;
    return { kind: 'token', id, text };
  }
}
