import { auditCall } from './acts.ts';
import { curlLine } from './curl.ts';
import { Html, html } from './html.ts';
import type { PageState } from './page-state.ts';
import { statePanel } from './panel.ts';
import { stepList } from './steps.ts';
import { STYLE } from './style.ts';
import { tourSection } from './tour-view.ts';
import { moment } from './words.ts';

function audit({ demo, origin, now, audit: entries }: PageState): Html {
  return html`<section class="card stack more" aria-labelledby="audit"><h2 id="audit">Who did what</h2>
${
  entries.length === 0
    ? html`<p class="soft small">Grants and revocations appear here, with who did them and why. Nobody can change an entry afterwards.</p>`
    : html`<ol class="plain lines">${entries.map(
        (entry) =>
          html`<li class="small"><p><strong>${entry.action}</strong> by ${entry.actor}</p><p class="soft">${moment(entry.recorded_at)}${entry.reason === null ? null : `: ${entry.reason}`}</p></li>`,
      )}</ol>`
}
<details><summary>The same with curl</summary><pre><code>${curlLine(origin, auditCall(demo, now.customerId))}</code></pre></details></section>`;
}

function side(state: PageState): Html {
  const { now, demo } = state;
  return html`<aside class="side stack" aria-label="The customer">
<section class="card stack now" aria-labelledby="now"><h2 id="now">What ${now.customerId} may do now</h2>
<div aria-live="polite">${statePanel(now)}</div>
<form method="post" action="/demo/restart"><button class="link small">Start again as somebody else</button></form></section>
${audit(state)}
<nav class="card stack-s small more" aria-label="More"><p><a href="/docs">Every endpoint of the API</a></p>
<p><a href="${demo.sandboxUrl}/">The sandbox</a> <span class="soft">move its clock, refund, dispute, break things</span></p>
<p><a href="/metrics">Metrics</a> · <a href="/ready">Readiness</a></p></nav>
</aside>`;
}

/** The newcomer's page. */
export function demoPage(state: PageState): Html {
  const { message, did } = state;
  return html`<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Tollgate · Try it</title>
<style>${new Html(STYLE)}</style>
<script type="module" src="/demo/page.js"></script>
</head>
<body>
<p class="ribbon"><strong>Sandbox.</strong> No real money moves. This page and its keys exist on this machine only.</p>
<main class="wrap">
<header class="top stack"><p class="brand">Tollgate</p><h1>A purchase turns a feature on</h1>
<p class="lead">Six steps, about a minute. Each button does what the curl line below it does, with the key of a demo project. After them, <a href="#later">live through what comes later</a>: renewals that fail, refunds, disputes.</p></header>
<div class="messages" role="status">${message === null || did !== null ? null : html`<p class="notice ${message.tone}">${message.text}</p>`}</div>
<div class="columns"><div>${stepList(state)}
${tourSection({ ...state, message: did === null ? null : message })}</div>
${side(state)}</div>
</main>
</body>
</html>`;
}
