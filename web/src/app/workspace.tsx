'use client';

import { useRef, useState } from 'react';
import { TurnView } from '@/features/answer/turn-view';
import { forgetQuestions, rememberQuestion } from '@/features/ask/recent';
import { HistorySheet } from '@/features/history/history-sheet';
import { Banners } from '@/features/system/banners';
import { SystemSheet } from '@/features/system/system-sheet';
import { useHealth } from '@/features/system/use-health';
import { LinkField } from '@/features/videos/link-field';
import { DropCurtain, VideoUploadZone } from '@/features/videos/upload-zone';
import { useIncoming } from '@/features/videos/use-incoming';
import { VideoList } from '@/features/videos/video-list';
import { storable } from '@/lib/api/problem';
import { fetchSample, sampleQuestion } from '@/lib/sample';
import { defaultParams, runningAttempt, type Attempt, type Video } from '@/lib/session/types';
import { useSession } from '@/lib/session/use-session';
import { explain, type Remedy } from '@/lib/strings/problems';
import { ui } from '@/lib/strings/ui';
import { Composer } from './composer';
import { Header } from './header';
import { Stage, useStage } from './stage';
import { useTitle } from './use-title';

export function Workspace() {
  const control = useSession();
  const { session, restored } = control;
  const { health, state } = useHealth();
  const [sheet, setSheet] = useState<'history' | 'system' | null>(null);
  const [question, setQuestion] = useState('');
  const [link, setLink] = useState('');
  const [hint, setHint] = useState<string | null>(null);
  const files = useRef<HTMLInputElement>(null);
  const replaced = useRef<Video[]>([]); // by the file that is being chosen
  const stageTop = useRef<HTMLDivElement>(null);
  const stage = useStage(control);
  const running = runningAttempt(session);
  useTitle(session);

  const say = (error: unknown) => setHint(explain(storable(error)).text);
  const incoming = {
    onFiles: (list: File[]) => {
      setHint(null);
      for (const file of list) control.addFile(file);
      for (const video of replaced.current) control.removeVideo(video);
      replaced.current = [];
    },
    onLink: (text: string) => {
      setHint(null);
      try {
        control.addUrl(text);
        setLink('');
      } catch (error) {
        say(error);
      }
    },
  };
  const over = useIncoming(incoming);

  function ask() {
    const text = question.trim();
    if (session.videos.length === 0 && link.trim() === '') return setHint(ui.ask.needVideo);
    if (text === '') return setHint(ui.ask.needQuestion);
    try {
      control.ask(text, link);
    } catch (error) {
      return say(error);
    }
    rememberQuestion(text);
    setHint(null);
    setQuestion('');
    setLink('');
  }

  function trySample() {
    fetchSample().then((file) => {
      incoming.onFiles([file]);
      setQuestion(sampleQuestion);
    }, say);
  }

  function remedy(turnId: string, kind: Exclude<Remedy, null>, { params }: Attempt) {
    if (kind === 'choose') {
      const bad = session.videos.filter(({ upload }) => /failed|stopped/.test(upload.state));
      replaced.current = session.videos.length === 1 ? session.videos : bad;
      files.current?.click();
    } else if (kind === 'key') setSheet('system');
    else if (kind === 'trim') stageTop.current?.scrollIntoView({ behavior: 'smooth' });
    else if (kind === 'quick') {
      const { trim, timeoutMin } = params;
      control.retry(turnId, { ...defaultParams, trim, timeoutMin, profile: 'quick' });
    } else if (kind === 'longer') {
      control.retry(turnId, { ...params, timeoutMin: 3 * params.timeoutMin });
    } else control.retry(turnId, params);
  }

  function uploadAgain(key: string) {
    if (control.uploadAgain(key)) return;
    replaced.current = session.videos.filter((other) => other.key === key);
    files.current?.click(); // the file itself did not survive the reload
  }

  const started = session.videos.length > 0;
  const zone = (
    <VideoUploadZone input={files} onFiles={restored ? incoming.onFiles : null} compact={started} />
  );
  const composer = (
    <Composer
      control={control}
      question={question}
      onQuestion={setQuestion}
      onAsk={ask}
      demo={health?.model.demo ?? false}
      busy={running !== null}
      hint={hint}
    >
      {!started && (
        <>
          {zone}
          <LinkField value={link} onChange={setLink} onAdd={() => incoming.onLink(link)} />
        </>
      )}
    </Composer>
  );

  return (
    <div className="flex min-h-dvh flex-col">
      <Header
        state={state}
        onFresh={started ? () => control.open(null) : null}
        onHistory={() => setSheet('history')}
        onSystem={() => setSheet('system')}
      />
      {started ? (
        <main
          className={`mx-auto grid w-full max-w-[110rem] grow content-start gap-6 px-4 py-5
          lg:grid-cols-[minmax(0,1fr)_minmax(0,34rem)] lg:gap-8 lg:px-6`}
        >
          <h1 className="sr-only">{ui.title}</h1>
          <div ref={stageTop} className="min-w-0 space-y-4 self-start lg:sticky lg:top-5">
            <Stage control={control} stage={stage} />
            <VideoList
              videos={session.videos}
              activeKey={session.activeKey}
              onActivate={control.activate}
              onRemove={(video) => control.removeVideo(video)}
              onUploadAgain={uploadAgain}
              onKey={() => setSheet('system')}
            />
            {zone}
          </div>
          <div className="min-w-0 space-y-6">
            {session.turns.map((turn) => (
              <TurnView
                key={turn.id}
                turn={turn}
                videos={session.videos}
                duration={stage.playback.duration}
                chosen={session.params}
                onShow={(index) => control.show(turn.id, index)}
                onSeek={stage.playback.seek}
                onCancel={(attempt) => control.cancel(attempt)}
                onRetry={(params) => control.retry(turn.id, params)}
                onRemedy={(kind, attempt) => remedy(turn.id, kind, attempt)}
              />
            ))}
            {composer}
          </div>
        </main>
      ) : (
        <main className="mx-auto w-full max-w-2xl grow px-4 py-8 sm:py-12">
          <h1 className="text-center text-3xl font-bold tracking-tight text-balance">
            {ui.headline}
          </h1>
          <p className="mt-2 mb-7 text-center text-balance text-soft">{ui.lead}</p>
          <noscript>
            <p className="mb-4 rounded-lg bg-note-wash px-3 py-2 text-note">{ui.noScript}</p>
          </noscript>
          {composer}
        </main>
      )}
      <Banners health={health} state={state} onSample={started ? null : trySample} />
      <Announcer phase={session.turns.at(-1)?.attempts.at(-1)?.phase ?? null} />
      <HistorySheet
        open={sheet === 'history'}
        onClose={() => setSheet(null)}
        onClear={forgetQuestions}
        onOpen={(entry) => {
          setSheet(null);
          control.open(entry.session);
        }}
      />
      <SystemSheet open={sheet === 'system'} onClose={() => setSheet(null)} health={health} />
      {over && <DropCurtain />}
    </div>
  );
}

/** Tells a screen reader when an answer is complete; the words themselves are read on request. */
function Announcer({ phase }: { phase: Attempt['phase'] | null }) {
  return (
    <p role="status" className="sr-only">
      {phase === 'done' ? ui.run.doneLive : ''}
    </p>
  );
}
