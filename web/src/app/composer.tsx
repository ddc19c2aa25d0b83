'use client';

import { useRef, type ReactNode } from 'react';
import { Button } from '@/components/button';
import { PromptInput } from '@/features/ask/prompt-input';
import { Examples, Recent } from '@/features/ask/suggestions';
import { ParameterDrawer } from '@/features/params/drawer';
import { Presets } from '@/features/params/presets';
import { apiBase } from '@/lib/api/client';
import type { SessionControl } from '@/lib/session/use-session';
import { ui } from '@/lib/strings/ui';

interface Props {
  control: SessionControl;
  question: string;
  onQuestion: (question: string) => void;
  onAsk: () => void;
  /** The demo model answers. */
  demo: boolean;
  /** A question is running: another one has to wait for it. */
  busy: boolean;
  /** What keeps the question from being asked. */
  hint: string | null;
  /** The way in for a video, before there is one. */
  children?: ReactNode;
}

/**
 * The form of the question. Without scripts the browser sends it by itself, and the service answers
 * with a page.
 */
export function Composer(props: Props) {
  const { control, question, onQuestion, onAsk, demo, busy, hint, children } = props;
  const { session, restored: live } = control;
  const field = useRef<HTMLTextAreaElement>(null);
  const first = session.turns.length === 0;
  const pick = (picked: string) => {
    onQuestion(picked);
    field.current?.focus();
  };
  return (
    <form
      method="post"
      encType="multipart/form-data"
      action={`${apiBase}/v1/inference/upload`}
      noValidate={live}
      onSubmit={(event) => {
        event.preventDefault();
        if (!busy) onAsk();
      }}
      className="space-y-4"
    >
      {children}
      <PromptInput
        field={field}
        value={question}
        onChange={onQuestion}
        onSend={() => !busy && onAsk()}
        following={!first}
        required={!live}
      >
        <Button
          type="submit"
          kind="primary"
          data-testid="ask"
          disabled={live && busy}
          className="min-h-11 px-7 text-base"
        >
          {ui.ask.send}
        </Button>
      </PromptInput>
      {hint && (
        <p role="alert" className="text-sm text-bad">
          {hint}
        </p>
      )}
      {first && <Examples demo={demo} onPick={pick} />}
      <Presets
        value={session.params.profile}
        onChange={(profile) => control.setParams({ profile })}
      />
      {live && <ParameterDrawer params={session.params} onChange={control.setParams} />}
      {live && first && <Recent onPick={pick} />}
    </form>
  );
}
