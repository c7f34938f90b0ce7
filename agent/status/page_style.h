#pragma once

#include <string_view>

namespace escagent::status {

// The status page's style sheet. Light and dark; below 700 px tables become cards.
inline constexpr std::string_view kPageStyle = R"css(
:root{--text:#1c1c28;--back:#fff;--soft:#5b5b70;--line:#e3e3ea;--tile:#f5f5f9;
--good:#1a7f4b;--late:#b7791f;--bad:#c53030;--badback:#fdecea}
@media(prefers-color-scheme:dark){:root{--text:#e8e8f0;--back:#16161d;--soft:#a0a0b4;
--line:#33333f;--tile:#20202a;--good:#48bb78;--late:#ecc94b;--bad:#fc8181;--badback:#4a1f1c}}
*{box-sizing:border-box}
body{font:15px/1.5 system-ui,sans-serif;margin:0 auto;padding:1rem;max-width:80rem;
color:var(--text);background:var(--back);overflow-wrap:anywhere}
header{display:flex;flex-wrap:wrap;gap:.5rem 1rem;align-items:center}
h1{font-size:1.4rem;margin:0}h2{font-size:1.1rem;margin:2rem 0 .5rem}p{margin:.5rem 0}
small{display:block;color:var(--soft);font-size:.8rem}
.pill{margin:0;padding:.1rem .75rem;border-radius:1rem;border:1px solid}
.pill.good{color:var(--good)}.pill.bad{color:var(--bad);background:var(--badback)}
ul.bad{margin:0;padding:.5rem 1rem .5rem 2rem;background:var(--badback);border-radius:.5rem}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(9rem,1fr));gap:.75rem;
margin-top:1rem}
.tiles>div{background:var(--tile);border-radius:.5rem;padding:.75rem}
.tiles b{font-size:1.5rem;display:block;line-height:1.2}
.plot{position:relative;height:9rem;margin-top:1.5rem;border-bottom:1px solid var(--line);padding-left:3.5rem}
.plot>span{position:absolute;left:0;right:0;border-bottom:1px dashed var(--line);
color:var(--soft);font-size:.75rem;line-height:1.2}
.bars{position:relative;display:flex;height:100%;align-items:flex-end;gap:1px}
.bars i{flex:1;border-radius:2px 2px 0 0}
.axis{display:flex;justify-content:space-between;margin:0;padding-left:3.5rem;
color:var(--soft);font-size:.75rem}
.strip{display:flex;gap:1px;height:1.2rem;min-width:10rem;margin:.15rem 0}
.strip i{flex:1;border-radius:1px}
.ok{background:var(--good)}.late{background:var(--late)}.fail{background:var(--bad)}
.none{background:var(--line)}
table{border-collapse:collapse;width:100%}
th,td{text-align:left;padding:.35rem .75rem .35rem 0;border-bottom:1px solid var(--line);
vertical-align:top}
th{color:var(--soft);font-weight:600;white-space:nowrap}tr.bad td{background:var(--badback)}
@media(max-width:700px){thead{display:none}table,tbody,tr,td{display:block}
tr{border:1px solid var(--line);border-radius:.5rem;padding:.5rem .75rem;margin-bottom:.75rem}
tr.bad{background:var(--badback)}td{border:0;padding:.15rem 0}td:empty{display:none}
td::before{content:attr(data-title);display:block;color:var(--soft);font-size:.75rem}}
)css";

}  // namespace escagent::status
