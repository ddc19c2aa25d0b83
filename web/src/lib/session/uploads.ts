// The files of this tab: they cannot be stored with the session, and neither can their transfers.
import { uploadVideo } from '../api/client';
import { storable } from '../api/problem';
import { checkFile } from '../file-check';
import type { Action } from './reducer';

interface Held {
  file: File;
  /** For the player, at once and without the server. */
  url: string;
  stop: AbortController;
  /** Settles when the transfer has: with the video's source, or not at all. */
  stored: Promise<string>;
}

export class Uploads {
  private held = new Map<string, Held>();

  constructor(private dispatch: (action: Action) => void) {}

  /** Starts to check and send `file`; sends it again if it was sent before. */
  start(key: string, file: File): void {
    const before = this.held.get(key);
    before?.stop.abort();
    const stop = new AbortController();
    const url = before?.url ?? URL.createObjectURL(file);
    const stored = this.send(key, file, stop.signal);
    stored.catch(() => undefined); // told through the session
    this.held.set(key, { file, url, stop, stored });
  }

  private async send(key: string, file: File, signal: AbortSignal): Promise<string> {
    const told = { at: 0 };
    const progress = (sent: number, total: number) => {
      const now = Date.now();
      if (sent < total && now - told.at < 100) return;
      told.at = now;
      this.dispatch({ type: 'video-sending', key, sent, total, now });
    };
    progress(0, file.size);
    try {
      await checkFile(file);
      signal.throwIfAborted();
      const stored = await uploadVideo(file, progress, signal);
      this.dispatch({ type: 'video-stored', key, stored });
      return `tru://videos/${stored.id}`;
    } catch (error) {
      if (!signal.aborted) this.dispatch({ type: 'video-failed', key, problem: storable(error) });
      throw error;
    }
  }

  /** Sends a held file once more; false if there is none (after a reload). */
  again(key: string): boolean {
    const held = this.held.get(key);
    if (held) this.start(key, held.file);
    return held !== undefined;
  }

  stop(key: string): void {
    this.held.get(key)?.stop.abort();
    this.dispatch({ type: 'video-stopped', key });
  }

  drop(key: string): void {
    const held = this.held.get(key);
    if (!held) return;
    held.stop.abort();
    URL.revokeObjectURL(held.url);
    this.held.delete(key);
  }

  url(key: string): string | null {
    return this.held.get(key)?.url ?? null;
  }

  /** Waits until the file is with the server. */
  source(key: string): Promise<string> | null {
    return this.held.get(key)?.stored ?? null;
  }
}
