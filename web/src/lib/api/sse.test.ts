import { describe, expect, it } from 'vitest';
import { readEvents, SseParser, type ServerEvent } from './sse';

const stream = [
  ': heartbeat\n\n',
  'id: 1\nevent: queued\ndata: {"position":0}\n\n',
  'id:2\r\nevent:token\r\ndata:{"text":"ä"}\r\n\r\n',
  'data: one\ndata: two\n\n',
  'event: empty\n\n',
  'unknown: field\ndata\n\n',
].join('');

const expected: ServerEvent[] = [
  { id: '1', event: 'queued', data: '{"position":0}' },
  { id: '2', event: 'token', data: '{"text":"ä"}' },
  { id: '2', event: 'message', data: 'one\ntwo' },
  { id: '2', event: 'message', data: '' },
];

describe('SseParser', () => {
  it('reads ids, names, several data lines and comments', () => {
    expect(new SseParser().push(stream)).toEqual(expected);
  });

  it('gives the same events wherever the stream is cut', () => {
    for (let cut = 0; cut <= stream.length; cut += 1) {
      const parser = new SseParser();
      const events = [...parser.push(stream.slice(0, cut)), ...parser.push(stream.slice(cut))];
      expect(events).toEqual(expected);
    }
  });

  it('gives nothing of an event that is not complete', () => {
    expect(new SseParser().push('data: half\n')).toEqual([]);
  });
});

it('reads a body whose bytes are cut inside a character', async () => {
  const bytes = new TextEncoder().encode(stream);
  const body = new ReadableStream<Uint8Array>({
    start(controller) {
      bytes.forEach((_, i) => controller.enqueue(bytes.slice(i, i + 1)));
      controller.close();
    },
  });
  const events: ServerEvent[] = [];
  for await (const event of readEvents(body)) events.push(event);
  expect(events).toEqual(expected);
});
