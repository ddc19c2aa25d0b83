'use client';

import { lazy, Suspense } from 'react';
import type { Attempt, Params, Video } from '@/lib/session/types';
import { isRunning } from '@/lib/session/types';
import type { Remedy } from '@/lib/strings/problems';
import { ui } from '@/lib/strings/ui';
import { ExportBar } from './export-bar';
import { ProblemCard } from './problem-card';
import { ProcessingState } from './progress';
import { Report } from './report';
import { RetryMenu } from './retry-menu';

// Not needed before there is an answer, and a third of the page's script.
const Markdown = lazy(() => import('./markdown'));

export interface AnswerActions {
  onSeek: (seconds: number) => void;
  onCancel: (attempt: Attempt) => void;
  onRetry: (params: Params) => void;
  onRemedy: (remedy: Exclude<Remedy, null>, attempt: Attempt) => void;
  /** The settings for the next question. */
  chosen: Params;
}

interface Props extends AnswerActions {
  question: string;
  attempt: Attempt;
  videos: Video[];
  /** Of the video that is played, seconds; 0 while unknown. */
  duration: number;
}

/** One answer from its first sign of life to its report. */
export function AnswerCard(props: Props) {
  const { question, attempt, videos, duration, onSeek, onCancel, onRetry, onRemedy, chosen } =
    props;
  const running = isRunning(attempt);
  return (
    <div className="min-w-0 space-y-3">
      {running && (
        <ProcessingState attempt={attempt} videos={videos} onCancel={() => onCancel(attempt)} />
      )}
      {(attempt.text !== '' || attempt.phase === 'done') && (
        <div
          data-testid="answer"
          data-state={attempt.phase}
          aria-busy={running}
          className="prose-answer"
        >
          {attempt.text === '' ? (
            <p className="text-soft">{ui.answer.empty}</p>
          ) : (
            <Suspense fallback={<p className="whitespace-pre-wrap">{attempt.text}</p>}>
              <Markdown text={attempt.text} duration={duration} onSeek={onSeek} />
            </Suspense>
          )}
        </div>
      )}
      {attempt.phase === 'cancelled' && <p className="text-soft">{ui.run.cancelled}</p>}
      {attempt.problem && (
        <ProblemCard
          problem={attempt.problem}
          since={attempt.endedAt ?? 0}
          onRemedy={(remedy) => onRemedy(remedy, attempt)}
        />
      )}
      {attempt.answer?.finish_reason === 'length' && (
        <p className="rounded-lg bg-note-wash px-3 py-2 text-sm text-note">{ui.answer.cut}</p>
      )}
      {attempt.answer && (
        <>
          <div className="flex flex-wrap items-center justify-between gap-x-6">
            <ExportBar
              question={question}
              attempt={attempt}
              duration={duration}
              name={videos[0]?.name ?? ''}
            />
            <RetryMenu params={attempt.params} chosen={chosen} onRetry={onRetry} />
          </div>
          <Report answer={attempt.answer} />
        </>
      )}
      {attempt.phase === 'cancelled' && (
        <RetryMenu params={attempt.params} chosen={chosen} onRetry={onRetry} />
      )}
    </div>
  );
}
