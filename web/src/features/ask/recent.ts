// The last questions, newest first, in this browser only.
import { store, useStored } from '@/lib/use-stored';

const name = 'tru.questions';
const kept = 20;

function parse(stored: string | null): string[] {
  try {
    const list = JSON.parse(stored ?? '[]') as unknown;
    return Array.isArray(list) ? list.filter((item) => typeof item === 'string') : [];
  } catch {
    return [];
  }
}

export const recentQuestions = () => parse(localStorage.getItem(name));

export const useRecentQuestions = () => parse(useStored(name));

export function rememberQuestion(question: string): void {
  const others = recentQuestions().filter((other) => other !== question);
  store(name, JSON.stringify([question, ...others].slice(0, kept)));
}

export const forgetQuestions = () => store(name, null);
