/**
 * Lets everybody who asks for the same while it is being worked out have that one answer: a page that many people look
 * at makes no more work than one of them.
 */
export function shared<T>(work: (key: string) => Promise<T>): (key: string) => Promise<T> {
  const underWay = new Map<string, Promise<T>>();
  return (key) => {
    const known = underWay.get(key);
    if (known !== undefined) return known;
    const started = work(key).finally(() => underWay.delete(key));
    underWay.set(key, started);
    return started;
  };
}
