'use client';

import { useState } from 'react';
import { Button } from '@/components/button';
import { findCues, toSrt, toVtt } from '@/lib/answer/subtitles';
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
  return (
    <div className="-ml-3 flex flex-wrap items-center">
      {copies.map(([what, label, text]) => (
        <Button
          key={what}
          kind="quiet"
          icon={copied === what ? 'check' : 'copy'}
          aria-label={label}
          onClick={() => void copy(what, text())}
        >
          {copied === what ? ui.answer.copied : what}
        </Button>
      ))}
      {cues.length > 0 && (
        <>
          <Button
            kind="quiet"
            icon="save"
            aria-label={ui.answer.srt}
            onClick={() => save(`${stem}.srt`, 'application/x-subrip', toSrt(cues))}
          >
            SRT
          </Button>
          <Button
            kind="quiet"
            icon="save"
            aria-label={ui.answer.vtt}
            onClick={() => save(`${stem}.vtt`, 'text/vtt', toVtt(cues))}
          >
            VTT
          </Button>
        </>
      )}
    </div>
  );
}
