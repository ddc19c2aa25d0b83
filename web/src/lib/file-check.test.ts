import { expect, it } from 'vitest';
import { checkFile, checkUrl, containerOf, maxVideoBytes } from './file-check';

const bytes = (text: string) => Uint8Array.from(text, (c) => c.charCodeAt(0));

it('knows the containers by their first bytes', () => {
  expect(containerOf(bytes('\0\0\0\x18ftypisom'))).toBe('mp4');
  expect(containerOf(bytes('\x1a\x45\xdf\xa3\x9f'))).toBe('matroska');
  expect(containerOf(bytes('RIFF\x10\0\0\0AVI LIST'))).toBe('avi');
  expect(containerOf(bytes('RIFF\x10\0\0\0WAVEfmt '))).toBeNull();
  expect(containerOf(bytes('#EXTM3U\n'))).toBeNull();
  expect(containerOf(new Uint8Array())).toBeNull();
});

it('says what is wrong with a file', async () => {
  const large = new File(['x'], 'a.mp4');
  Object.defineProperty(large, 'size', { value: maxVideoBytes + 1 });
  await expect(checkFile(new File([], 'a.mp4'))).rejects.toMatchObject({
    code: 'client_file_empty',
  });
  await expect(checkFile(large)).rejects.toMatchObject({ code: 'client_file_large' });
});

it('takes web addresses only', () => {
  expect(checkUrl(' https://example.com/a.mp4 ').href).toBe('https://example.com/a.mp4');
  for (const bad of ['', 'a.mp4', 'ftp://x/a.mp4', 'file:///a', 'http://me:pw@x/a.mp4']) {
    expect(() => checkUrl(bad)).toThrow(expect.objectContaining({ code: 'client_url' }));
  }
});
