/**
 * The page's script: asks for the state every second or two while somebody looks, less often when nothing has happened
 * for a minute, and puts a newer one in place. Without it the page works as well; one reloads it.
 */
export const SCRIPT = `
const shown = {};
let quiet = 0;
/** Puts a newer part in the place of the one that is shown, and tells whether there was one. */
async function renew(part) {
  const answer = await fetch('/demo/' + part, { headers: { accept: 'text/html' } });
  if (!answer.ok) return false;
  const text = await answer.text();
  if (text === shown[part]) return false;
  shown[part] = text;
  const old = document.getElementById(part);
  const fresh = new DOMParser().parseFromString(text, 'text/html').getElementById(part);
  if (fresh === null || old === null) return false;
  if (old.querySelector('details[open]') !== null) fresh.querySelector('details')?.setAttribute('open', '');
  if (fresh.outerHTML !== old.outerHTML) old.replaceWith(fresh);
  return true;
}
async function look() {
  if (document.visibilityState !== 'visible') return;
  try {
    quiet += 1;
    if (!(await renew('state'))) return;
    quiet = 0;
    await renew('effect');
  } catch {
    // The service is restarting: the next look finds it.
  }
}
async function keepLooking() {
  await look();
  setTimeout(keepLooking, quiet < 40 ? 1500 : 15000);
}
document.addEventListener('visibilitychange', () => {
  quiet = 0;
  look();
});
keepLooking();
`;
