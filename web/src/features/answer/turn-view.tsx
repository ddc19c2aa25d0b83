'use client';

import { useState } from 'react';
import { Button } from '@/components/button';
import type { Attempt, Turn, Video } from '@/lib/session/types';
import { ui } from '@/lib/strings/ui';
import { AnswerCard, type AnswerActions } from './answer-card';

interface Props extends AnswerActions {
  turn: Turn;
  videos: Video[];
  duration: number;
  onShow: (index: number) => void;
}

const presetName = (attempt: Attempt) => ui.params.presets[attempt.params.profile].name;

/** A question and its answer; with several answers, one at a time or side by side. */
export function TurnView({ turn, videos, duration, onShow, ...actions }: Props) {
  const [compared, setCompared] = useState(false);
  const several = turn.attempts.length > 1;
  const shown = turn.attempts[turn.shown];
  const columns = compared && several ? turn.attempts.slice(-2) : shown ? [shown] : [];
  return (
    <article aria-label={turn.question} className="space-y-3">
      <h2 className="font-semibold wrap-anywhere">
        <span className="sr-only">{ui.answer.you}: </span>
        {turn.question}
      </h2>
      {several && (
        <div role="group" aria-label={ui.answer.attempts} className="flex flex-wrap gap-1">
          {turn.attempts.map((attempt, index) => (
            <Button
              key={attempt.id}
              kind={index === turn.shown && !compared ? 'plain' : 'quiet'}
              aria-pressed={index === turn.shown && !compared}
              onClick={() => {
                setCompared(false);
                onShow(index);
              }}
            >
              {ui.answer.attempt(index + 1, presetName(attempt))}
            </Button>
          ))}
          <Button
            kind={compared ? 'plain' : 'quiet'}
            icon="columns"
            data-testid="compare"
            aria-pressed={compared}
            onClick={() => setCompared(!compared)}
          >
            {ui.answer.compare}
          </Button>
        </div>
      )}
      <div className={columns.length > 1 ? 'grid gap-6 md:grid-cols-2' : ''}>
        {columns.map((attempt) => (
          <div key={attempt.id} className="min-w-0">
            {columns.length > 1 && (
              <h3 className="mb-2 text-sm font-semibold text-soft">
                {ui.answer.attempt(turn.attempts.indexOf(attempt) + 1, presetName(attempt))}
              </h3>
            )}
            <AnswerCard
              question={turn.question}
              attempt={attempt}
              videos={videos}
              duration={duration}
              {...actions}
            />
          </div>
        ))}
      </div>
    </article>
  );
}
