'use client';

import { useState } from 'react';
import { Actions } from '@/components/actions';
import { Button } from '@/components/button';
import { findCues, toSrt, toVtt, type Cue } from '@/lib/answer/subtitles';
import type { Attempt } from '@/lib/session/types';
import { ui } from '@/lib/strings/ui';

interface Props {
  question: string;
  attempt: Attempt;
  duration: number;
  /** Of the video, for the names of saved files. */
  name: string;
}

/** Markdown's marks are for a Markdown reader; plain text goes without. */
const plain = (markdown: string) =>
  markdown
    .replace(/^```.*$\n?/gm, '')
    .replace(/^\s{0,3}#{1,6}\s+/gm, '')
    .replace(/(\*\*|__|`)(.+?)\1/g, '$2')
    .trim();

function save(name: string, type: string, text: string) {
  const url = URL.createObjectURL(new Blob([text], { type }));
  const link = document.createElement('a');
  link.href = url;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

export function ExportBar({ question, attempt, duration, name }: Props) {
  const [copied, setCopied] = useState<string | null>(null);
  const cues = findCues(attempt.text, duration || Infinity);
  const stem = name.replace(/\.[^.]*$/, '') || 'answer';

  async function copy(what: string, text: string) {
    await navigator.clipboard.writeText(text);
    setCopied(what);
    setTimeout(() => setCopied(null), 2000);
  }

  const copies: [string, string, () => string][] = [
    ['Text', ui.answer.copyText, () => plain(attempt.text)],
    ['Markdown', ui.answer.copyMarkdown, () => `**${question}**\n\n${attempt.text}\n`],
    ['JSON', ui.answer.copyJson, () => JSON.stringify({ question, ...attempt.answer }, null, 2)],
  ];
  const files: [string, string, string, (list: Cue[]) => string][] = [
    ['SRT', ui.answer.srt, 'application/x-subrip', toSrt],
    ['VTT', ui.answer.vtt, 'text/vtt', toVtt],
  ];
  return (
    <div className="flex flex-wrap items-center gap-x-4">
      <Actions icon={copied ? 'check' : 'copy'} label={ui.answer.copy}>
        {copies.map(([what, label, text]) => (
          <Button
            key={what}
            kind="quiet"
            aria-label={label}
            onClick={() => void copy(what, text())}
          >
            {copied === what ? ui.answer.copied : what}
          </Button>
        ))}
      </Actions>
      {cues.length > 0 && (
        <Actions icon="save" label={ui.answer.save}>
          {files.map(([what, label, type, write]) => (
            <Button
              key={what}
              kind="quiet"
              aria-label={label}
              onClick={() => save(`${stem}.${what.toLowerCase()}`, type, write(cues))}
            >
              {what}
            </Button>
          ))}
        </Actions>
      )}
    </div>
  );
}
