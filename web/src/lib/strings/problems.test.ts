import { expect, it } from 'vitest';
import { Problem, problemIn, storable } from '../api/problem';
import { detail, explain } from './problems';

const problem = (code: string, status: number, message = '') =>
  storable(new Problem(code, message, status));

it('knows a code before its status', () => {
  expect(explain(problem('queue_full', 429)).remedy).toBe('wait');
  expect(explain(problem('context_overflow', 422)).remedy).toBe('quick');
  expect(explain(problem('media_no_video', 422)).text).toContain('no picture');
});

it.each([400, 401, 403, 404, 408, 410, 413, 415, 422, 429, 500, 502, 503, 504, 507])(
  'has a sentence for any code of status %i',
  (status) => {
    expect(explain(problem('new_code', status, 'x')).text).not.toBe('x');
  },
);

it('tells an unknown problem in the words of the service', () => {
  expect(explain(problem('odd', 418, 'I am a teapot.')).text).toBe('I am a teapot.');
});

it('shows the words of the service beside ours, but none of its own making', () => {
  const words = '5000 of 4096 tokens';
  expect(detail(problem('context_overflow', 422, words))).toBe(words);
  expect(detail(problem('context_overflow', 0, words))).toBe(words); // from within a stream
  expect(detail(problem('offline', 0, 'Failed to fetch'))).toBeNull();
  expect(detail(problem('client_error', 0, 'x is undefined'))).toBeNull();
  expect(detail(problem('queue_full', 429, 'too many requests are waiting'))).toBeNull();
});

it('reads the body of an error and the header where there is none', () => {
  const body = { detail: 'd', error: { code: 'queue_full', message: 'm', retry_after_s: 7 } };
  const full = problemIn(JSON.stringify(body), 429, null);
  expect([full.code, full.message, full.retryAfterS]).toEqual(['queue_full', 'm', 7]);
  const bare = problemIn('<html>nginx</html>', 503, '4');
  expect([bare.code, bare.message, bare.retryAfterS]).toEqual(['http_503', '', 4]);
});
