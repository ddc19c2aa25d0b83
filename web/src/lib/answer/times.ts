// Finds the times an answer names, in every form the models use:
//   [00:04], [00:04.0], 01:02:03, 00:00:04,500, <12.0 seconds>, {"start": 4.5}

export interface TimeMark {
  /** Offsets of the whole mark in the text, brackets included. */
  from: number;
  to: number;
  /** Seconds since the clip's first frame. */
  seconds: number;
}

const clockForm = String.raw`(?:(\d{1,2}):)?(\d{1,3}):([0-5]\d)(?:\.(\d{1,3})|,(\d{3}))?`;
const patterns = {
  bracketed: new RegExp(String.raw`\[\s*${clockForm}\s*\]`, 'g'),
  // Not within a longer number, and not a time of day.
  bare: new RegExp(String.raw`(?<!\d[:.,]?)${clockForm}(?!:?\d)(?!\s?[ap]\.?m\b)`, 'gi'),
  seconds: /<\s*(\d{1,6}(?:\.\d{1,3})?)\s*(?:seconds?|s)\s*>/gi,
  json: new RegExp(
    String.raw`"(?:time|timestamp|start|end|begin|from|to|at)(?:_time)?(?:_s|_sec|_seconds)?"` +
      String.raw`\s*:\s*"?(\d{1,6}(?:\.\d{1,6})?)\s*s?"?(?=\s*[,}\]])`,
    'gi',
  ),
};

function clockSeconds(groups: (string | undefined)[]): number | null {
  const [hours, minutes, seconds, fraction, comma] = groups;
  const minute = Number(minutes);
  if (hours !== undefined && minute > 59) return null;
  const tail = fraction ?? comma;
  return (
    Number(hours ?? 0) * 3600 + minute * 60 + Number(seconds) + (tail ? Number(`0.${tail}`) : 0)
  );
}

function* matches(text: string): Generator<TimeMark> {
  for (const pattern of [patterns.bracketed, patterns.bare]) {
    for (const match of text.matchAll(pattern)) {
      const seconds = clockSeconds(match.slice(1));
      if (seconds !== null) {
        yield { from: match.index, to: match.index + match[0].length, seconds };
      }
    }
  }
  for (const match of text.matchAll(patterns.seconds)) {
    yield { from: match.index, to: match.index + match[0].length, seconds: Number(match[1]) };
  }
  for (const match of text.matchAll(patterns.json)) {
    const value = match[1] ?? '';
    const from = match.index + match[0].lastIndexOf(value);
    yield { from, to: from + value.length, seconds: Number(value) };
  }
}

/** All times in `text`, in order, none overlapping another. */
export function findTimes(text: string): TimeMark[] {
  const found = [...matches(text)].sort((a, b) => a.from - b.from || b.to - a.to);
  const kept: TimeMark[] = [];
  for (const mark of found) {
    if (mark.from >= (kept.at(-1)?.to ?? 0)) kept.push(mark);
  }
  return kept;
}

/** Times in `text` that a clip of `duration` seconds has, ascending, each once. */
export function timesWithin(text: string, duration: number): number[] {
  const inside = findTimes(text)
    .map((mark) => mark.seconds)
    .filter((s) => s <= duration + 0.05);
  return [...new Set(inside)].sort((a, b) => a - b);
}
