import { spawn, type ChildProcess } from 'node:child_process';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { createInterface } from 'node:readline';

export const root = path.join(import.meta.dirname, '../..');
export const sample = (name: string) => path.join(root, 'models/demo/samples', name);

/** What the samples show: the answer to each question that the demo model answers right. */
export function truth(clip: string, question: string): string {
  const all = JSON.parse(readFileSync(sample('truth.json'), 'utf8')) as Record<
    string,
    { questions: Record<string, string> }
  >;
  const answer = all[clip]?.questions[question];
  if (answer === undefined) throw new Error(`truth.json has no answer to ${question}`);
  return answer;
}

/** A `tru serve` of the demo model, as ./run starts it. */
export class Server {
  url = '';
  private child: ChildProcess | null = null;

  constructor(private env: Record<string, string> = {}) {}

  /** Starts it, at the port of before if it ran before, and waits until the model is loaded. */
  async start(): Promise<void> {
    const port = this.url ? new URL(this.url).port : '0';
    const child = spawn(path.join(root, 'build/bin/tru'), ['serve'], {
      env: { ...process.env, PORT: port, ALLOW_PRIVATE_URLS: '1', TEMPERATURE: '0', ...this.env },
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    this.child = child;
    this.url = await new Promise((resolve, reject) => {
      createInterface(child.stderr).on('line', (line) => {
        const found = /http:\/\/[\d.]+:\d+/.exec(line);
        if (found) resolve(found[0]);
      });
      child.once('exit', (code) => reject(new Error(`tru serve ended with ${code}`)));
    });
    while (!(await fetch(`${this.url}/v1/ready`)).ok) await new Promise((r) => setTimeout(r, 100));
  }

  async stop(): Promise<void> {
    const child = this.child;
    if (!child || child.exitCode !== null) return;
    const ended = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGTERM');
    await ended;
    this.child = null;
  }

  /** How many questions the engine is at. */
  async running(): Promise<number> {
    const health = (await (await fetch(`${this.url}/v1/health/detailed`)).json()) as {
      queue: { running: number };
    };
    return health.queue.running;
  }
}
