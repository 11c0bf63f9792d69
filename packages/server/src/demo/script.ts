/**
 * The page's script: asks for the state every second or two while somebody looks, less often when nothing has happened
 * for a minute, and puts a newer one in place. Without it the page works as well; one reloads it.
 */
export const SCRIPT = `
let shown = '';
let quiet = 0;
async function look() {
  const old = document.getElementById('state');
  if (document.visibilityState !== 'visible' || old === null) return;
  try {
    const answer = await fetch('/demo/state', { headers: { accept: 'text/html' } });
    if (!answer.ok) return;
    const text = await answer.text();
    quiet += 1;
    if (text === shown) return;
    quiet = 0;
    shown = text;
    const fresh = new DOMParser().parseFromString(text, 'text/html').getElementById('state');
    if (fresh !== null && fresh.outerHTML !== old.outerHTML) old.replaceWith(fresh);
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
