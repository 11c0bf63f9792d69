/**
 * The page's script: asks for the state every two seconds while somebody looks, and puts a newer one in place. Without
 * it the page works as well; one reloads it.
 */
export const SCRIPT = `
const every = 2000;
async function look() {
  const old = document.getElementById('state');
  if (document.visibilityState !== 'visible' || old === null) return;
  try {
    const answer = await fetch('/demo/state', { headers: { accept: 'text/html' } });
    if (!answer.ok) return;
    const text = await answer.text();
    if (text === window.shown) return;
    window.shown = text;
    const fresh = new DOMParser().parseFromString(text, 'text/html').getElementById('state');
    if (fresh !== null && fresh.outerHTML !== old.outerHTML) old.replaceWith(fresh);
  } catch {
    // The service is restarting: the next look finds it.
  }
}
setInterval(look, every);
document.addEventListener('visibilitychange', look);
`;
