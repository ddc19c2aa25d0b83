// What each error means to a person, and what they can do about it.
import type { StoredProblem } from '../api/problem';
import type { ErrorCode } from '../api/types';

/** What the button beside an error does; null: there is nothing to press. */
export type Remedy = 'retry' | 'wait' | 'trim' | 'quick' | 'choose' | 'key' | 'longer' | null;

export interface Explanation {
  text: string;
  remedy: Remedy;
}

const it = (text: string, remedy: Remedy): Explanation => ({ text, remedy });

const kinds = 'This is not a video of a kind that can be read: MP4, MOV, MKV, WebM or AVI.';

export const remedies: Record<Exclude<Remedy, null>, string> = {
  retry: 'Try again',
  wait: 'Try again',
  trim: 'Choose a shorter part',
  quick: 'Try again with Quick',
  choose: 'Choose another video',
  key: 'Enter the access key',
  longer: 'Try again and wait longer',
};

const own = ['offline', 'timeout', 'interrupted', 'stream_expired'];

type OwnCode = 'offline' | 'timeout' | 'interrupted' | 'stream_expired' | `client_${string}`;

/** Codes of our own, then the service's; the compiler knows what codes it has. */
const byCode: Partial<Record<OwnCode | ErrorCode, Explanation>> = {
  offline: it('The server does not answer. Is it running?', 'retry'),
  timeout: it('There was no answer in the time you allow, so it was cancelled.', 'longer'),
  interrupted: it('The page was closed before the question was sent.', 'retry'),
  stream_expired: it('The server no longer has this question: it was restarted.', 'retry'),
  client_error: it('Something went wrong in this page.', 'retry'),
  client_file_gone: it('This page no longer has the file. Choose it once more.', 'choose'),
  client_file_empty: it('This file is empty.', 'choose'),
  client_file_large: it('This file is larger than 1 GB. Cut it shorter first.', 'choose'),
  client_file_type: it(kinds, 'choose'),
  client_file_long: it('This video is longer than 4 hours. Cut it shorter first.', 'choose'),
  client_url: it(
    'This is not the address of a video: it must begin with http:// or https://.',
    'choose',
  ),

  cancelled: it('The question was cancelled.', 'retry'),
  queue_full: it('The server is busy: its queue is full.', 'wait'),
  rate_limited: it('That was a lot of questions in a short time.', 'wait'),
  too_many_connections: it('There are too many connections at the moment.', 'wait'),
  busy: it('The server is busy.', 'wait'),
  model_loading: it('The model is still loading.', 'wait'),
  shutting_down: it('The server is being stopped.', 'wait'),
  engine_stalled: it('The model has stopped responding. The server may need a restart.', 'wait'),
  engine_error: it('The model failed on this question.', 'retry'),
  context_overflow: it('This is more than the model can take in at once.', 'quick'),
  prompt_too_large: it('This question is too long.', null),
  field_invalid: it('A setting has a value that the server does not allow.', 'quick'),
  storage_full: it('The server has no disk space left for the video.', 'retry'),
  unauthorized: it('This server wants an access key.', 'key'),
  unsupported_media: it(kinds, 'choose'),
  media_empty: it('This file is empty.', 'choose'),
  media_unreadable: it('This video is damaged and cannot be read.', 'choose'),
  media_no_video: it('This file has no picture track.', 'choose'),
  media_dimensions: it('The picture of this video is too large, or too long and thin.', 'choose'),
  media_too_long: it('This video is too long.', 'trim'),
  url_invalid: it('This is not an address that the server can fetch.', 'choose'),
  url_scheme_not_allowed: it('Only http:// and https:// addresses can be fetched.', 'choose'),
  url_port_not_allowed: it('The server does not fetch from this port.', 'choose'),
  url_not_allowed: it(
    'This address is not on the public internet, so it is not fetched.',
    'choose',
  ),
  source_http_error: it('The server at this address did not send the video.', 'choose'),
  source_unreachable: it('The server at this address cannot be reached.', 'retry'),
  source_redirects: it('This address redirects too many times.', 'choose'),
  source_tls_error: it('The server at this address has no valid certificate.', 'choose'),
  source_truncated: it('The download of the video broke off.', 'retry'),
  source_timeout: it('The server at this address took too long to send the video.', 'retry'),
  source_too_large: it('The video behind this link is too large.', 'choose'),
  backend_error: it('The model server failed.', 'retry'),
  backend_protocol: it('The model server sent something that cannot be read.', 'retry'),
  backend_unavailable: it('The model server cannot be reached.', 'wait'),
  backend_timeout: it('The model server is too slow.', 'retry'),
};

const byStatus: Record<number, Explanation> = {
  400: it('The server did not understand the request.', 'retry'),
  401: it('This server wants an access key.', 'key'),
  403: it('The server does not allow this page to ask.', null),
  404: it('The server does not have this any more.', 'retry'),
  408: it('The upload was too slow and was given up.', 'retry'),
  410: it('The server does not have this any more.', 'retry'),
  413: it('This video is too large for the server.', 'choose'),
  415: it(kinds, 'choose'),
  422: it('The server cannot use this.', 'choose'),
  429: it('The server is busy.', 'wait'),
  500: it('The server failed on this question.', 'retry'),
  502: it('The server could not reach what it needs.', 'retry'),
  503: it('The server is not ready.', 'wait'),
  504: it('The server waited too long for what it needs.', 'retry'),
  507: it('The server has no disk space left.', 'retry'),
};

/** The sentence and the remedy for a problem; an unknown one is told in the service's words. */
export function explain(problem: StoredProblem): Explanation {
  const known = byCode[problem.code as ErrorCode] ?? byStatus[problem.status];
  return known ?? it(problem.message || 'Something went wrong.', 'retry');
}

/** The service's own sentence, where it says more than ours: the field, the numbers. */
export function detail(problem: StoredProblem): string | null {
  const ours = problem.code.startsWith('client_') || own.includes(problem.code);
  const { text, remedy } = explain(problem);
  const told = remedy === 'wait' || remedy === 'key' || text === problem.message;
  return ours || told || problem.message === '' ? null : problem.message;
}
