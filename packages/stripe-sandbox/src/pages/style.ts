/** The one stylesheet of all pages. Light and dark follow the system; there is one accent. */
export const STYLE = `
:root{color-scheme:light dark;--paper:#fbfaf8;--card:#fff;--ink:#1d1c1a;--soft:#66635d;--line:#e6e2db;--wash:#f4f1ec;
--accent:#4b3fd1;--accent-ink:#fff;--accent-wash:#efedfc;--good:#16704a;--good-wash:#e4f3eb;--bad:#b3261e;--bad-wash:#fceceb;
--warn:#8a5a00;--warn-wash:#fbf0d9;--ring:#4b3fd166;--radius:12px}
@media (prefers-color-scheme:dark){:root{--paper:#161619;--card:#1e1e23;--ink:#f0eff2;--soft:#a3a1aa;--line:#33333b;--wash:#25252b;
--accent:#a59cff;--accent-ink:#17142e;--accent-wash:#2a2745;--good:#6fd3a3;--good-wash:#17352a;--bad:#ff9b94;--bad-wash:#3f2120;
--warn:#f0c36b;--warn-wash:#3a2e14;--ring:#a59cff80}}
*{box-sizing:border-box}
html{font:16px/1.55 system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",sans-serif;background:var(--paper);color:var(--ink);
-webkit-text-size-adjust:100%;scroll-padding-top:4.5rem}
body{margin:0}
h1,h2,h3,p,ul,ol,dl,dd,figure,fieldset{margin:0;padding:0}
h1{font-size:1.625rem;line-height:1.25;letter-spacing:-.02em;font-weight:650}
h2{font-size:1.125rem;line-height:1.35;letter-spacing:-.01em;font-weight:620}
h3{font-size:1rem;font-weight:600}
a{color:var(--accent);text-underline-offset:.18em;text-decoration-thickness:1px}
code{font:.875em/1.5 ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;overflow-wrap:anywhere}
.ribbon{background:var(--warn-wash);color:var(--warn);font-size:.8125rem;text-align:center;padding:.45rem 1rem}
.ribbon strong{font-weight:650}
.soft{color:var(--soft)}.small{font-size:.875rem}.num{font-variant-numeric:tabular-nums;white-space:nowrap}
.stack>*+*{margin-top:1rem}.stack-s>*+*{margin-top:.35rem}.stack-l>*+*{margin-top:2.25rem}
.wrap{max-width:62rem;margin:0 auto;padding:2.75rem 1.5rem 5rem}
.wrap.narrow{max-width:34rem}
.card{background:var(--card);border:1px solid var(--line);border-radius:var(--radius);padding:1.5rem}
.row{display:flex;gap:.75rem 1.25rem;align-items:center;justify-content:space-between;flex-wrap:wrap}
.row.top{align-items:flex-start;flex-wrap:nowrap}
.actions{display:flex;gap:.6rem;flex-wrap:wrap;align-items:center}
.actions form{display:contents}
label,legend{display:block;font-size:.875rem;font-weight:560;margin-bottom:.35rem}
fieldset{border:0;min-width:0}
input,select{font:inherit;color:inherit;background:var(--card);border:1px solid var(--line);border-radius:9px;padding:.65rem .8rem;width:100%;
min-height:2.85rem}
input:hover,select:hover{border-color:var(--soft)}
input[aria-invalid=true]{border-color:var(--bad)}
input[type=radio],input[type=checkbox]{width:1.1rem;min-height:1.1rem;height:1.1rem;accent-color:var(--accent);flex:none;margin:.15rem 0 0}
button,.button{font:inherit;font-weight:560;cursor:pointer;border-radius:9px;border:1px solid var(--line);background:var(--card);color:var(--ink);
padding:.5rem .95rem;min-height:2.5rem;display:inline-flex;align-items:center;justify-content:center;text-decoration:none}
button:hover,.button:hover{border-color:var(--soft)}
button.primary,.button.primary{background:var(--accent);border-color:var(--accent);color:var(--accent-ink)}
button.primary:hover,.button.primary:hover{filter:brightness(1.08)}
button.wide{width:100%;min-height:3.1rem;font-size:1.0625rem}
button.quiet{border-color:transparent;background:none;color:var(--accent);padding-inline:.4rem}
button.danger{color:var(--bad)}
:focus-visible{outline:3px solid var(--ring);outline-offset:2px;border-radius:9px}
.notice{border-radius:9px;padding:.8rem 1rem;font-size:.9375rem;background:var(--accent-wash)}
.notice.bad{background:var(--bad-wash);color:var(--bad)}.notice.good{background:var(--good-wash);color:var(--good)}
.error{color:var(--bad);font-size:.875rem;margin-top:.3rem}
.tag{display:inline-block;font-size:.78rem;font-weight:580;border-radius:99px;padding:.1rem .6rem;background:var(--wash);color:var(--soft);
white-space:nowrap}
.tag.good{background:var(--good-wash);color:var(--good)}.tag.bad{background:var(--bad-wash);color:var(--bad)}
.tag.warn{background:var(--warn-wash);color:var(--warn)}.tag.accent{background:var(--accent-wash);color:var(--accent)}
.plain{list-style:none}
.lines>li{padding:.95rem 0;border-top:1px solid var(--line)}.lines>li:first-child{border-top:0;padding-top:0}.lines>li:last-child{padding-bottom:0}
.scroll{position:relative;overflow-x:auto;margin:0 -1.5rem;padding:0 1.5rem}
table{border-collapse:collapse;width:100%;font-size:.9375rem}
th{font-size:.8125rem;font-weight:560;color:var(--soft);text-align:left;padding:.3rem 1rem .5rem 0;white-space:nowrap}
td{border-top:1px solid var(--line);padding:.7rem 1rem .7rem 0;vertical-align:top}
th:last-child,td:last-child{padding-right:0}
.right{text-align:right}
.pay{display:grid;grid-template-columns:1fr 1fr;min-height:calc(100vh - 2.2rem)}
.pay>div{padding:4rem 3.5rem 4rem;display:flex}
.pay .summary{background:var(--wash);justify-content:flex-end}.pay .form{background:var(--card)}
.pay .inner{width:100%;max-width:26.5rem}
.price{font-size:2.375rem;line-height:1.15;letter-spacing:-.03em;font-weight:650}
.total{border-top:1px solid var(--line);padding-top:1rem;margin-top:1.25rem;font-weight:620}
.box{background:var(--wash);border-radius:var(--radius);padding:1.1rem 1.2rem}.box .total{margin-top:.75rem;padding-top:.75rem}
.lines .right{white-space:nowrap}.quantity{display:flex;flex-wrap:wrap;gap:.5rem;align-items:center;margin-top:.5rem}.quantity label{margin:0}
.quantity input{width:5.5rem;min-height:2.5rem;padding:.35rem .6rem}.discount{margin-top:.75rem}
.with-button{display:flex;gap:.6rem}.with-button button{min-height:2.85rem}
.pair{display:grid;grid-template-columns:1fr 1fr;gap:.9rem}
.chooser{padding-top:1.1rem}
.cards{display:grid;grid-template-columns:1fr;gap:.45rem}
.cards button{justify-content:space-between;gap:1rem;font-weight:450;font-size:.9rem;text-align:left;width:100%}
.cards button[aria-pressed=true]{border-color:var(--accent);background:var(--accent-wash)}
.grid{display:grid;grid-template-columns:repeat(4,1fr);gap:.75rem}
.stat{background:var(--card);border:1px solid var(--line);border-radius:var(--radius);padding:.85rem 1rem}
.stat b{display:block;font-size:1.5rem;line-height:1.2;font-weight:620;font-variant-numeric:tabular-nums}
details>summary{cursor:pointer;color:var(--accent);font-size:.9375rem}
details[open]>summary{margin-bottom:.9rem}
.choice{display:flex;gap:.7rem;align-items:flex-start;font-weight:450;font-size:.9375rem;margin:0;padding:.7rem 0;border-top:1px solid var(--line)}
.choice:first-of-type{border-top:0}
label .soft{font-weight:400}
.fields{display:grid;grid-template-columns:repeat(auto-fill,minmax(14rem,1fr));gap:1rem;align-items:end}
.clock{font-size:1.75rem;line-height:1.2;letter-spacing:-.02em;font-weight:640;font-variant-numeric:tabular-nums}
.skip{position:absolute;left:-99rem}.skip:focus{left:1rem;top:1rem;background:var(--card);padding:.5rem 1rem}
.vh{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%);white-space:nowrap}
@media (max-width:52rem){table{font-size:.875rem}th,td{padding-right:.6rem}.pay{display:block;min-height:0}.pay>div{padding:2rem 1.25rem 2.25rem}.pay .inner{margin:0 auto}
.wrap{padding:1.75rem 1.1rem 4rem}.card{padding:1.15rem}.scroll{margin:0 -1.15rem;padding:0 1.15rem}.price{font-size:2rem}.clock{font-size:1.4rem}
.grid{grid-template-columns:repeat(2,1fr);gap:.5rem}.stat{display:flex;gap:.5rem;align-items:baseline;padding:.5rem .8rem}.stat b{font-size:1.1rem}.fields{grid-template-columns:1fr}}
@media (prefers-reduced-motion:no-preference){button,.button,input,select{transition:border-color .12s,background-color .12s,filter .12s}}
`;
