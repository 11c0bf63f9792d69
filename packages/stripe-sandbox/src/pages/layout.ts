import { Html, html, type Part } from './html.ts';
import { STYLE } from './style.ts';

/** The frame of every page: language, title, stylesheet, and the mark that says that no money moves here. */
export function layout(title: string, content: Part): Html {
  return html`<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>${title} · Sandbox</title>
<style>${new Html(STYLE)}</style>
</head>
<body>
<p class="ribbon"><strong>Sandbox.</strong> No real money moves here.</p>
${content}
</body>
</html>`;
}

/** A page that only says something: a session that is over, an address that leads nowhere. */
export function messagePage(title: string, text: Part, link?: { href: string; text: string } | null): Html {
  return layout(
    title,
    html`<main class="wrap narrow"><div class="card stack">
<h1>${title}</h1>
<p class="soft">${text}</p>
${link ? html`<p><a class="button" href="${link.href}">${link.text}</a></p>` : null}
</div></main>`,
  );
}
