"use strict";
(function () {
  // Times are shown in the viewer's zone: the server learns it from here.
  try {
    const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
    if (zone) {
      document.cookie = "viewer_timezone=" + zone + "; path=/; max-age=31536000; samesite=lax" + (location.protocol === "https:" ? "; secure" : "");
    }
  } catch (error) { /* Then they stay in the site's zone. */ }

  function element(name, text, className) {
    const made = document.createElement(name);
    if (text) { made.textContent = text; }
    if (className) { made.className = className; }
    return made;
  }

  function token() {
    const field = document.querySelector("input[name=csrfmiddlewaretoken]");
    return field ? field.value : "";
  }

  function showPreview(box, shown) {
    box.replaceChildren();
    if (shown.problem) {
      box.append(element("p", shown.problem, "qbo-problem"));
      return;
    }
    if (shown.note) {
      box.append(element("p", shown.note, "qbo-quiet"));
      return;
    }
    const table = element("table");
    const head = element("tr");
    for (const label of ["Recent record", "In QuickBooks"]) {
      const cell = element("th", label);
      cell.scope = "col";
      head.append(cell);
    }
    const top = element("thead");
    top.append(head);
    const body = element("tbody");
    for (const line of shown.lines) {
      const row = element("tr");
      row.append(element("td", line.record));
      const result = element("td", line.result);
      if (line.problem) {
        result.append(element("span", (line.result ? " – " : "") + line.problem, "qbo-problem"));
      }
      row.append(result);
      body.append(row);
    }
    table.append(top, body);
    box.append(table);
  }

  function watchTemplate(field, settings) {
    const name = field.dataset.template;
    const help = document.querySelector('template.qbo-template-help[data-for="' + name + '"]');
    if (!help || field.closest("#changelist")) { return; }
    const parts = help.content.cloneNode(true);
    const box = parts.querySelector(".qbo-preview");
    field.closest(".form-row").append(parts);
    let timer = 0;
    let asked = 0;
    const ask = function () {
      const number = ++asked;
      const org = document.getElementById("id_org");
      const configuration = document.getElementById("id_configuration");
      const form = new FormData();
      form.set("name", name);
      form.set("template", field.value);
      form.set("org", settings.dataset.org || (org ? org.value : ""));
      form.set("configuration", settings.dataset.configuration || (configuration ? configuration.value : ""));
      fetch(settings.dataset.url, { method: "POST", body: form, headers: { "X-CSRFToken": token() }, credentials: "same-origin" })
        .then(function (answer) { return answer.ok ? answer.json() : Promise.reject(new Error(String(answer.status))); })
        .then(function (shown) { if (number === asked) { showPreview(box, shown); } })
        .catch(function () { if (number === asked) { showPreview(box, { problem: "", note: "The preview is not available at the moment.", lines: [] }); } });
    };
    field.addEventListener("input", function () { clearTimeout(timer); timer = setTimeout(ask, 300); });
    for (const other of ["id_org", "id_configuration"]) {
      const select = document.getElementById(other);
      if (select) { select.addEventListener("change", ask); }
    }
    ask();
  }

  function watchSearch(form) {
    const words = document.getElementById("id_search");
    const results = document.getElementById("qbo-search-results");
    const chosen = document.getElementById("id_customer");
    const search = function () {
      const address = form.dataset.search + "?configuration=" + encodeURIComponent(form.dataset.configuration) + "&q=" + encodeURIComponent(words.value);
      results.replaceChildren(element("p", "Searching…", "qbo-quiet"));
      fetch(address, { credentials: "same-origin" })
        .then(function (answer) { return answer.json(); })
        .then(function (found) {
          results.replaceChildren();
          if (found.problem) { results.append(element("p", found.problem, "qbo-problem")); }
          const list = element("ul", "", "qbo-search-list");
          for (const customer of found.customers) {
            const item = element("li");
            const button = element("button", customer.label, "qbo-linklike");
            button.type = "button";
            button.addEventListener("click", function () { chosen.value = customer.id; chosen.focus(); });
            item.append(button, element("span", " id " + customer.id + (customer.linked ? ", linked to " + customer.linked + " already" : ""), customer.linked ? "qbo-problem" : "qbo-quiet"));
            list.append(item);
          }
          results.append(list);
        })
        .catch(function () { results.replaceChildren(element("p", "The search is not available at the moment.", "qbo-problem")); });
    };
    document.getElementById("qbo-search-button").addEventListener("click", search);
    words.addEventListener("keydown", function (event) { if (event.key === "Enter") { event.preventDefault(); search(); } });
  }

  // On a phone each cell stands under the heading of its column.
  function labelCells(root) {
    for (const table of root.querySelectorAll("#result_list, .qbo-table")) {
      const heads = table.tHead && table.tHead.rows.length === 1 ? Array.from(table.tHead.rows[0].cells) : [];
      table.classList.add("qbo-cardlist");
      for (const row of table.tBodies.length ? table.querySelectorAll(":scope > tbody > tr") : []) {
        if (row.cells.length !== heads.length) { continue; }
        Array.from(row.cells).forEach(function (cell, position) {
          const head = heads[position];
          const words = head.querySelector(".text") || head;
          const label = words.textContent.trim();
          if (/^[–-]?$/.test(cell.textContent.trim()) && !cell.querySelector("select, input, textarea, img")) { cell.classList.add("qbo-none"); }
          if (cell.textContent.trim().length > 60) { cell.classList.add("qbo-wide"); }
          if (!cell.textContent.trim() && cell.querySelector(":scope > input[type=checkbox]")) { cell.classList.add("qbo-tick"); }
          if (label && cell.tagName === "TD" && !cell.hasAttribute("data-label") && !cell.matches(".action-checkbox, .qbo-tick")) { cell.setAttribute("data-label", label); }
        });
      }
    }
  }

  // While something runs, the page of an Org asks for itself again and again.
  function keepLive() {
    const live = document.getElementById("qbo-live");
    const seconds = live ? Number(live.dataset.qboLive || 0) : 0;
    if (!seconds) { return; }
    setTimeout(function () {
      const busy = live.contains(document.activeElement) || live.querySelector("details[open]");
      if (document.hidden || busy) { keepLive(); return; }
      fetch(location.href, { credentials: "same-origin" })
        .then(function (answer) { return answer.ok && !answer.redirected ? answer.text() : Promise.reject(new Error(String(answer.status))); })
        .then(function (text) {
          const shown = new DOMParser().parseFromString(text, "text/html").getElementById("qbo-live");
          if (shown) { labelCells(shown); live.replaceWith(document.adoptNode(shown)); }
          keepLive();
        })
        .catch(function () { keepLive(); });
    }, seconds * 1000);
  }

  // Above the list the filters are closed, but for those that narrow it.
  function closeFilters() {
    if (!matchMedia("(max-width: 1439px)").matches) { return; }
    document.querySelectorAll("#changelist-filter details").forEach(function (filter) {
      const select = filter.querySelector("select");
      filter.open = select ? select.value !== "" : filter.querySelector("li.selected:not(:first-child)") !== null;
    });
  }

  document.addEventListener("DOMContentLoaded", function () {
    labelCells(document);
    closeFilters();
    keepLive();
    const settings = document.getElementById("qbo-preview-settings");
    if (settings) {
      document.querySelectorAll("textarea[data-template]").forEach(function (field) { watchTemplate(field, settings); });
    }
    const print = document.querySelector("[data-qbo-print]");
    if (print) { print.addEventListener("click", function () { window.print(); }); }
    const form = document.getElementById("qbo-link-form");
    if (form) { watchSearch(form); }
    // The organisation of a mapping decides what its dropdowns offer: the page is asked again for the chosen one.
    const add = document.querySelector("body.change-form #id_configuration");
    if (add && add.tagName === "SELECT" && location.pathname.endsWith("/add/")) {
      add.addEventListener("change", function () { location.search = "?configuration=" + encodeURIComponent(add.value); });
    }
  });
})();
