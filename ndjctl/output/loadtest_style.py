"""The style of a test's page, for light and dark screens and for paper."""

STYLE = """
:root{--bg:#f6f7f9;--card:#fff;--ink:#1b2230;--soft:#5c6675;--rule:#e3e7ee;--good:#1a7f4b;--bad:#c0362c}
@media (prefers-color-scheme:dark){:root{--bg:#12161d;--card:#1b212b;--ink:#e6eaf1;--soft:#98a3b3;--rule:#2b3340;
--good:#43b97f;--bad:#f0766c}}
*{box-sizing:border-box}
body{margin:0;background:var(--bg);color:var(--ink);font:15px/1.45 system-ui,-apple-system,"Segoe UI",sans-serif}
main{max-width:1120px;margin:0 auto;padding:24px 20px 48px}
header{display:flex;gap:18px;align-items:center;margin-bottom:18px}
h1{font-size:22px;margin:0;overflow-wrap:anywhere}h2{font-size:16px;margin:0 0 10px}
header p{margin:2px 0 0;color:var(--soft)}
.verdict{font-size:26px;font-weight:700;color:#fff;padding:8px 18px;border-radius:8px}
.pass{background:var(--good)}.fail{background:var(--bad)}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(160px,1fr));gap:12px;margin-bottom:16px}
.tile,figure,section,.why{background:var(--card);border:1px solid var(--rule);border-radius:8px;padding:12px 14px}
.tile b{display:block;font-weight:500;color:var(--soft);font-size:13px}
.tile strong{display:block;font-size:22px;margin:2px 0}.tile span{color:var(--soft);font-size:13px}
.why{border-color:var(--bad);margin-bottom:16px}.why h2{color:var(--bad)}.why ul{margin:0;padding-left:20px}
.why li,td{overflow-wrap:anywhere}
.charts{display:grid;grid-template-columns:repeat(auto-fit,minmax(420px,1fr));gap:12px;margin-bottom:16px}
@media (max-width:480px){.charts{grid-template-columns:1fr}}
figure{margin:0}figcaption{font-weight:600;margin-bottom:6px}
.legend{display:block;font-weight:400;font-size:12px;color:var(--soft);margin-top:2px}
.legend span{margin-right:12px;white-space:nowrap}
.legend i{display:inline-block;width:10px;height:10px;border-radius:2px;margin-right:4px}
section{margin-bottom:12px}table{border-collapse:collapse;width:100%}
td,th{text-align:left;vertical-align:top;padding:4px 12px 4px 0;border-top:1px solid var(--rule);font-weight:400}
tr:first-child td,tr:first-child th{border-top:0}th{color:var(--soft);width:190px}
.name{white-space:nowrap}
.good{color:var(--good);width:56px}.bad{color:var(--bad);font-weight:700;width:56px}
svg{display:block;width:100%;height:auto}
svg text{font:12px system-ui,sans-serif;fill:var(--soft)}svg .label{fill:var(--ink)}
.grid{stroke:var(--rule);stroke-width:1}.mark{stroke:var(--ink);stroke-width:1;stroke-dasharray:3 3}
.line{fill:none;stroke-width:2}.area{opacity:.16;stroke:none}.layer{stroke:none}
.c1{fill:#3b76d6;stroke:#3b76d6;background:#3b76d6}.c2{fill:#1f9e89;stroke:#1f9e89}.c3{fill:#8a5fd0;stroke:#8a5fd0}
.c4{fill:#3b76d6;stroke:#3b76d6}.c5{fill:#c7702b;stroke:#c7702b}.bar{stroke:none}
.line.c1,.line.c2,.line.c3,.line.c4,.line.c5{fill:none}.area.c1,.area.c2,.area.c3,.area.c4,.area.c5{stroke:none}
.s-completed{fill:#2f9e6b;background:#2f9e6b}.s-processing{fill:#3b76d6;background:#3b76d6}
.s-manifested{fill:#7aa5e8;background:#7aa5e8}.s-pending{fill:#d9b23c;background:#d9b23c}
.s-unseen{fill:#b6bdc9;background:#b6bdc9}.s-quarantined{fill:#c7702b;background:#c7702b}
.s-failed{fill:#c0362c;background:#c0362c}
@media print{body{background:#fff}.tile,figure,section{break-inside:avoid}}
""".replace("\n", "")
