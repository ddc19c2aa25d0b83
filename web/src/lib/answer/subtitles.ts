// Turns an answer's timed lines into subtitle files.
import { findTimes } from './times';

export interface Cue {
  start: number;
  end: number;
  text: string;
}

const longestCue = 6; // seconds a line stays when nothing says when it ends
const ranges = /^\s*(?:-|–|—|to|until|and|-->)\s*$/;

function sentences(line: string): string[] {
  return line.split(/(?<=[.!?])\s+(?=[A-Z[*])/);
}

/** What is said, without the time in front of it and without Markdown's marks. */
function spoken(sentence: string, from: number, to: number): string {
  const lead = sentence.slice(0, from);
  const leads = /^[\s\-*+>#_|(]*(?:\d+[.)]\s*)?[\s*_(]*$/.test(lead);
  const text = leads ? sentence.slice(to).replace(/^[\s:)\]*_\-–—|]+/, '') : sentence;
  return text
    .replace(/[*_`#|]+/g, '')
    .replace(/^\s*(?:[-+>]|\d+[.)])\s+/, '')
    .trim();
}

function cueOf(sentence: string): { start: number; end: number | null; text: string } | null {
  const [first, second] = findTimes(sentence);
  if (!first) return null;
  const between = second ? sentence.slice(first.to, second.from) : '';
  const ranged = second !== undefined && ranges.test(between) && second.seconds > first.seconds;
  const text = spoken(sentence, first.from, ranged ? second.to : first.to);
  if (!/[\p{L}\p{N}]/u.test(text)) return null;
  return { start: first.seconds, end: ranged ? second.seconds : null, text };
}

/** The timed lines of `answer`, ascending, each ending before the next begins. */
export function findCues(answer: string, duration: number): Cue[] {
  const prose = answer.replace(/```[\s\S]*?(?:```|$)/g, '');
  const lines = prose
    .split('\n')
    .flatMap(sentences)
    .map(cueOf)
    .filter((cue) => cue !== null)
    .filter((cue) => cue.start < duration)
    .sort((a, b) => a.start - b.start);
  return lines.map((line, index) => {
    const next = lines.slice(index + 1).find((other) => other.start > line.start);
    const limit = Math.min(line.end ?? line.start + longestCue, duration);
    const end = line.end === null && next ? Math.min(limit, next.start) : limit;
    return { start: line.start, end: Math.max(end, line.start + 0.1), text: line.text };
  });
}

function stamp(seconds: number, separator: string): string {
  const ms = Math.round(seconds * 1000);
  const two = (value: number) => String(value).padStart(2, '0');
  const whole = Math.floor(ms / 1000);
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60];
  const head = `${two(hours)}:${two(minutes)}:${two(whole % 60)}`;
  return `${head}${separator}${String(ms % 1000).padStart(3, '0')}`;
}

export function toSrt(cues: Cue[]): string {
  return cues
    .map((cue, i) => `${i + 1}\n${stamp(cue.start, ',')} --> ${stamp(cue.end, ',')}\n${cue.text}\n`)
    .join('\n');
}

export function toVtt(cues: Cue[]): string {
  const escaped = (text: string) =>
    text.replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/>/g, '&gt;');
  const blocks = cues.map(
    (cue) => `${stamp(cue.start, '.')} --> ${stamp(cue.end, '.')}\n${escaped(cue.text)}\n`,
  );
  return `WEBVTT\n\n${blocks.join('\n')}`;
}
