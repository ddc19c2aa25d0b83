import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Question } from '../api/run';
import type { RunEvent } from '../api/types';
import { follow } from './follow';

const question: Question = {
  videos: ['tru://videos/x'],
  prompt: 'What?',
  earlier: [],
  video: { profile: 'quick' },
  generation: {},
};
const sse = (...events: [number, string, object][]) =>
  events
    .map(([id, name, data]) => `id: ${id}\nevent: ${name}\ndata: ${JSON.stringify(data)}\n\n`)
    .join('');
const stream = (text: string) =>
  new Response(text, { headers: { 'Content-Type': 'text/event-stream' } });
const failure = (status: number, code: string) =>
  new Response(JSON.stringify({ detail: 'd', error: { code, message: 'm' } }), { status });

const first = sse([1, 'queued', { position: 0, request_id: 'r1' }], [2, 'token', { text: 'A ' }]);
const rest = sse([3, 'token', { text: 'circle.' }], [4, 'done', { response: 'A circle.' }]);

let fetched: ReturnType<typeof vi.fn>;

beforeEach(() => {
  vi.useFakeTimers();
  fetched = vi.fn();
  vi.stubGlobal('fetch', fetched);
  vi.stubGlobal('localStorage', { getItem: () => null });
});
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

async function run(asked: Question | null = question, signal = new AbortController().signal) {
  const events: RunEvent[] = [];
  let reconnects = 0;
  const listener = {
    onEvent: (event: RunEvent) => void events.push(event),
    onReconnecting: () => void (reconnects += 1),
  };
  const end = follow(asked, 'r1', asked ? null : '2', listener, signal).then(
    () => null,
    (error: unknown) => error,
  );
  await vi.runAllTimersAsync();
  const text = events.map((event) => (event.kind === 'token' ? event.text : '')).join('');
  return { error: await end, kinds: events.map((event) => event.kind), text, reconnects };
}

const sent = (call: number) => {
  const [url, init] = fetched.mock.calls[call] as [string, RequestInit];
  return { url, headers: init.headers as Record<string, string>, body: init.body as string };
};

describe('follow', () => {
  it('asks with what the question says and reads to the end', async () => {
    fetched.mockResolvedValueOnce(stream(first + rest));
    const { error, kinds, text } = await run();
    expect(error).toBeNull();
    expect(kinds).toEqual(['queued', 'token', 'token', 'done']);
    expect(text).toBe('A circle.');
    expect(sent(0)).toMatchObject({
      url: '/v1/inference/url',
      headers: { 'X-Request-ID': 'r1' },
    });
    expect(JSON.parse(sent(0).body)).toMatchObject({
      video_url: 'tru://videos/x',
      prompt: 'What?',
      video_params: { profile: 'quick' },
      resumable: true,
    });
  });

  it('takes a broken stream up again after the last event', async () => {
    fetched.mockResolvedValueOnce(stream(first));
    fetched.mockRejectedValueOnce(new TypeError('connection refused'));
    fetched.mockResolvedValueOnce(stream(rest));
    const { error, text, reconnects } = await run();
    expect([error, text, reconnects]).toEqual([null, 'A circle.', 2]);
    expect(sent(2)).toMatchObject({
      url: '/v1/requests/r1/events',
      headers: { 'Last-Event-ID': '2' },
    });
  });

  it('goes on after a reload from where the page was', async () => {
    fetched.mockResolvedValueOnce(stream(rest));
    expect(await run(null)).toMatchObject({ error: null, text: 'circle.' });
    expect(sent(0).headers).toMatchObject({ 'Last-Event-ID': '2' });
  });

  it('says so when the server has forgotten the request', async () => {
    fetched.mockResolvedValueOnce(stream(first));
    fetched.mockResolvedValueOnce(failure(404, 'request_not_found'));
    expect((await run()).error).toMatchObject({ code: 'stream_expired' });
  });

  it('gives up when the server stays away', async () => {
    fetched.mockResolvedValueOnce(stream(first));
    fetched.mockRejectedValue(new TypeError('connection refused'));
    const { error, reconnects } = await run();
    expect(error).toMatchObject({ code: 'offline' });
    expect(reconnects).toBe(8);
  });

  it('does not ask twice what was refused or never arrived', async () => {
    fetched.mockResolvedValueOnce(failure(429, 'queue_full'));
    expect((await run()).error).toMatchObject({ code: 'queue_full', status: 429 });
    fetched.mockRejectedValueOnce(new TypeError('connection refused'));
    expect((await run()).error).toMatchObject({ code: 'offline' });
    expect(fetched).toHaveBeenCalledTimes(2);
  });

  it('stops with the reason of its signal', async () => {
    fetched.mockResolvedValueOnce(stream(first));
    fetched.mockRejectedValue(new TypeError('connection refused'));
    const stop = new AbortController();
    setTimeout(() => stop.abort('enough'), 300);
    expect((await run(question, stop.signal)).error).toBe('enough');
  });

  it('sends a conversation as messages and reads its chunks', async () => {
    const chunk = (data: object | string) =>
      `data: ${typeof data === 'string' ? data : JSON.stringify(data)}\n\n`;
    fetched.mockResolvedValueOnce(
      stream(
        chunk({ model: 'demo', choices: [{ delta: { content: 'Two' } }] }) +
          chunk({ choices: [{ delta: {}, finish_reason: 'stop' }] }) +
          chunk({ choices: [], usage: { prompt_tokens: 5 }, tru: { timings_ms: { total: 9 } } }) +
          chunk('[DONE]'),
      ),
    );
    const earlier = [{ question: 'What?', answer: 'A circle.' }];
    const { kinds, text } = await run({ ...question, prompt: 'How many?', earlier });
    expect([kinds, text]).toEqual([['token', 'done'], 'Two']);
    const body = JSON.parse(sent(0).body) as { messages: unknown[]; video_params: unknown };
    expect(body.video_params).toEqual({ profile: 'quick' });
    expect(body.messages).toEqual([
      {
        role: 'user',
        content: [
          { type: 'video_url', video_url: { url: 'tru://videos/x' } },
          { type: 'text', text: 'What?' },
        ],
      },
      { role: 'assistant', content: 'A circle.' },
      { role: 'user', content: [{ type: 'text', text: 'How many?' }] },
    ]);
  });
});
