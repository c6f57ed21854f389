"use strict";
// The zone and the theme are the reader's: pages are written with them.
(() => {
  const keep = (name, value) => {
    document.cookie = `${name}=${encodeURIComponent(value)}; Path=/console; SameSite=Strict; Max-Age=31536000`;
  };
  const kept = (name) => document.cookie.split("; ").find((each) => each.startsWith(`${name}=`));
  keep("ares_zone", Intl.DateTimeFormat().resolvedOptions().timeZone || "UTC");
  if (!kept("ares_theme")) {
    keep("ares_theme", matchMedia("(prefers-color-scheme: light)").matches ? "light" : "dark");
  }
  const ways = (open) => {
    document.body.classList.toggle("ways-open", open);
    document.querySelector("[data-ways]")?.setAttribute("aria-expanded", String(open));
  };
  document.addEventListener("click", (event) => {
    const theme = event.target.closest("[data-theme]");
    if (theme) {
      keep("ares_theme", theme.dataset.theme);
      location.reload();
    } else if (event.target.closest("[data-ways]")) {
      ways(!document.body.classList.contains("ways-open"));
    } else if (!event.target.closest("#ways")) {
      ways(false);
    }
  });
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") ways(false);
    const typing = event.target.closest?.("input, textarea, select, [contenteditable]");
    if (typing || event.ctrlKey || event.metaKey || event.altKey) return;
    const way = { o: "", m: "market", p: "positions", r: "risk", s: "strategies", d: "data" };
    if (event.key === "/") {
      const search = document.querySelector("main input");
      if (search) {
        event.preventDefault();
        search.focus();
      }
    } else if (document.documentElement.dataset.going) {
      delete document.documentElement.dataset.going;
      if (event.key in way) location.href = `/console/${way[event.key]}`;
    } else if (event.key === "g") {
      document.documentElement.dataset.going = "1";
    }
  });
})();
