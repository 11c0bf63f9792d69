/** The page's stylesheet. Light and dark follow the system; there is one accent. */
export const STYLE = `
:root{color-scheme:light dark;--paper:#fbfaf8;--card:#fff;--ink:#1d1c1a;--soft:#66635d;--line:#e6e2db;--wash:#f4f1ec;
--accent:#4b3fd1;--accent-ink:#fff;--accent-wash:#efedfc;--good:#16704a;--good-wash:#e4f3eb;--bad:#b3261e;--bad-wash:#fceceb;
--warn:#8a5a00;--warn-wash:#fbf0d9;--ring:#4b3fd166;--radius:12px}
@media (prefers-color-scheme:dark){:root{--paper:#161619;--card:#1e1e23;--ink:#f0eff2;--soft:#a3a1aa;--line:#33333b;--wash:#25252b;
--accent:#a59cff;--accent-ink:#17142e;--accent-wash:#2a2745;--good:#6fd3a3;--good-wash:#17352a;--bad:#ff9b94;--bad-wash:#3f2120;
--warn:#f0c36b;--warn-wash:#3a2e14;--ring:#a59cff80}}
*{box-sizing:border-box}
html{font:16px/1.55 system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",sans-serif;background:var(--paper);color:var(--ink);
-webkit-text-size-adjust:100%;scroll-padding-top:1.5rem}
body{margin:0}
h1,h2,h3,p,ul,ol,pre,fieldset{margin:0;padding:0}
h1{font-size:2.25rem;line-height:1.15;letter-spacing:-.03em;font-weight:660;text-wrap:balance}
h2{font-size:1.25rem;line-height:1.3;letter-spacing:-.015em;font-weight:630}
h3{font-size:1rem;font-weight:600}
a{color:var(--accent);text-underline-offset:.18em;text-decoration-thickness:1px}
code,pre{font:.8125rem/1.6 ui-monospace,SFMono-Regular,Menlo,Consolas,monospace}
code{overflow-wrap:anywhere}
pre{background:var(--wash);border-radius:9px;padding:.9rem 1rem;white-space:pre-wrap;overflow-wrap:anywhere}
.ribbon{background:var(--warn-wash);color:var(--warn);font-size:.8125rem;text-align:center;padding:.45rem 1rem}
.soft{color:var(--soft)}.small{font-size:.875rem}.num{font-variant-numeric:tabular-nums}
.stack>*+*{margin-top:1rem}.stack-s>*+*{margin-top:.35rem}
.row{display:flex;gap:.5rem 1rem;align-items:baseline;justify-content:space-between;flex-wrap:wrap}
.wrap{max-width:66rem;margin:0 auto;padding:3.25rem 1.5rem 6rem}
header.top{max-width:40rem;margin-bottom:3rem}
.lead{font-size:1.125rem;color:var(--soft)}
.columns{display:grid;grid-template-columns:minmax(0,1fr) 21rem;gap:3.5rem;align-items:start}
.side{position:sticky;top:1.5rem}
.card{background:var(--card);border:1px solid var(--line);border-radius:var(--radius);padding:1.5rem}
.steps{list-style:none;counter-reset:step}
.steps>li{counter-increment:step;position:relative;padding:0 0 2.75rem 3.4rem}
.steps>li::before{content:counter(step);position:absolute;left:0;top:-.1rem;width:2rem;height:2rem;border-radius:50%;display:grid;
place-items:center;font-size:.9375rem;font-weight:600;background:var(--accent-wash);color:var(--accent)}
.steps>li::after{content:"";position:absolute;left:1rem;top:2.3rem;bottom:.4rem;width:1px;background:var(--line)}
.steps>li:last-child::after{display:none}
.steps>li.done::before{content:"✓";background:var(--good-wash);color:var(--good)}
label,legend{display:block;font-size:.875rem;font-weight:560;margin-bottom:.35rem}
fieldset{border:0;min-width:0}
input,select{font:inherit;color:inherit;background:var(--card);border:1px solid var(--line);border-radius:9px;padding:.55rem .75rem;width:100%;
min-height:2.7rem}
input[type=radio]{width:1.1rem;height:1.1rem;min-height:0;accent-color:var(--accent);flex:none;margin:.22rem 0 0}
.choice{display:flex;gap:.75rem;font-weight:450;font-size:.9375rem;margin:0;padding:.8rem 0;border-top:1px solid var(--line);cursor:pointer}
.choice:first-of-type{border-top:0;padding-top:.2rem}.choice .row{flex:1;flex-wrap:nowrap}.choice .num{white-space:nowrap}
.fields{display:grid;grid-template-columns:repeat(auto-fit,minmax(11rem,1fr));gap:.9rem}
button,.button{font:inherit;font-weight:560;cursor:pointer;border-radius:9px;border:1px solid var(--line);background:var(--card);color:var(--ink);
padding:.5rem 1.05rem;min-height:2.6rem;display:inline-flex;align-items:center;text-decoration:none}
button:hover,.button:hover,input:hover,select:hover{border-color:var(--soft)}
button.primary{background:var(--accent);border-color:var(--accent);color:var(--accent-ink)}
button.primary:hover{filter:brightness(1.08)}
button.link{border:0;background:none;padding:0;min-height:0;color:var(--accent);font-weight:450;text-decoration:underline;text-underline-offset:.18em;
text-decoration-thickness:1px}
:focus-visible{outline:3px solid var(--ring);outline-offset:2px;border-radius:9px}
.notice{border-radius:9px;padding:.8rem 1rem;background:var(--accent-wash)}
.notice.good{background:var(--good-wash);color:var(--good)}.notice.bad{background:var(--bad-wash);color:var(--bad)}
.notice.warn{background:var(--warn-wash);color:var(--warn)}
.messages:not(:empty){margin-bottom:2.25rem}
.tag{display:inline-block;font-size:.78rem;font-weight:580;border-radius:99px;padding:.1rem .6rem;background:var(--wash);color:var(--soft);
white-space:nowrap}
.tag.good{background:var(--good-wash);color:var(--good)}.tag.bad{background:var(--bad-wash);color:var(--bad)}
.tag.accent{background:var(--accent-wash);color:var(--accent)}
.plain{list-style:none}
.later{scroll-margin-top:1rem}.grow{flex:1 1 14rem}.actions{display:flex;gap:.5rem;flex-wrap:wrap}
.later .lines>.row,.later form.row{align-items:center}.later .moment{width:15.5rem;justify-content:center}
button:disabled{cursor:default;color:var(--soft);background:none;border-style:dashed}button:disabled:hover{border-color:var(--line)}
.lines>li{padding:.85rem 0;border-top:1px solid var(--line)}.lines>li:first-child{border-top:0;padding-top:0}.lines>li:last-child{padding-bottom:0}
.windows{list-style:none;border-left:2px solid var(--line);padding-left:.9rem}
.windows>li+li{margin-top:.2rem}.windows .now{position:relative}
.windows .now::before{content:"";position:absolute;left:calc(-.9rem - 6px);top:.4rem;width:10px;height:10px;border-radius:50%;background:var(--good)}
.vh{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%);white-space:nowrap}
.brand{font-weight:650;color:var(--accent)}
.ask{display:flex;gap:.75rem;align-items:end;flex-wrap:wrap}.ask>div:first-child{flex:1 1 12rem;max-width:20rem}
details>summary{cursor:pointer;color:var(--accent);font-size:.875rem;width:fit-content}
details[open]>summary{margin-bottom:.75rem}
@media (max-width:56rem){.later .row>form,.later .moment{width:100%}.wrap{padding:2rem 1.1rem 4rem}h1{font-size:1.8rem}header.top{margin-bottom:2rem}.columns{grid-template-columns:minmax(0,1fr);gap:2.5rem}
.side{display:contents}.now{order:-1}.more{order:1}.more+.more{margin-top:-1.5rem}.card{padding:1.15rem}.steps>li{padding-left:2.9rem}.choice .row{flex-wrap:wrap}}
@media (prefers-reduced-motion:no-preference){button,.button,input,select{transition:border-color .12s,background-color .12s,filter .12s}}
`;
