/** The repository's documents, and what they name. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import path from 'node:path';

export const ROOT = path.resolve(import.meta.dirname, '../../../..');

export interface Document {
  /** From the root: `docs/operations.md`. */
  name: string;
  text: string;
  /** Without blocks of code. */
  prose: string;
}

/** Every file that is part of the repository, whether or not it has been committed yet. */
export function repositoryFiles(): string[] {
  const list = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard'], { cwd: ROOT });
  return list.toString().split('\n').filter(Boolean);
}

export function documents(): Document[] {
  return repositoryFiles()
    .filter((name) => name.endsWith('.md'))
    .map((name) => {
      const text = readFileSync(path.join(ROOT, name), 'utf8');
      return { name, text, prose: text.replace(/^```[\s\S]*?^```$/gm, '') };
    });
}

/** What stands between single backticks in the prose. */
export function inlineCode({ prose }: Document): string[] {
  return [...prose.matchAll(/`([^`\n]+)`/g)].map(([, code = '']) => code);
}

/** Targets of links, without those that lead away. */
export function links({ prose }: Document): string[] {
  return [...prose.matchAll(/\]\(([^)\s]+)\)/g)].map(([, to = '']) => to).filter((to) => !/^[a-z]+:/.test(to));
}

/** The fenced blocks of a language, in order. */
export function blocks({ text }: Document, language: string): string[] {
  return [...text.matchAll(/^```(\w*)\n([\s\S]*?)^```$/gm)]
    .filter(([, found]) => found === language)
    .map(([, , body = '']) => body);
}

/** As GitHub makes them of headings. */
export function anchors({ prose }: Document): string[] {
  return [...prose.matchAll(/^#+ (.+)$/gm)].map(([, heading = '']) =>
    heading
      .toLowerCase()
      .replace(/[^\p{L}\p{N} _-]/gu, '')
      .replaceAll(' ', '-'),
  );
}

/** `GET /path` of prose and code alike. */
export function endpoints({ text }: Document): { method: string; path: string }[] {
  return [...text.matchAll(/\b(GET|POST|PUT|PATCH|DELETE) (\/[\w/{}.-]*[\w}])/g)].map(([, method = '', at = '']) => ({
    method,
    path: at,
  }));
}

/** Paths of the API that samples call: `$TOLLGATE_URL/api/v1/check`. */
export function calledPaths({ text }: Document): string[] {
  return [...text.matchAll(/\$TOLLGATE_URL(\/api\/v1\/[\w/{}-]+)/g)].map(([, at = '']) => at);
}
