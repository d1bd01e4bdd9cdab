// The catalog's rows that hold every word of the field above them.
document.addEventListener("DOMContentLoaded", () => {
  const field = document.getElementById("filter");
  if (!field) return;
  const rows = [...document.querySelectorAll("#features tbody tr")];
  const texts = rows.map((row) => row.textContent.toLowerCase());
  const shown = document.getElementById("shown");
  const show = () => {
    const words = field.value.toLowerCase().split(/\s+/).filter(Boolean);
    const kept = texts.map((text) => words.every((word) => text.includes(word)));
    rows.forEach((row, number) => { row.hidden = !kept[number]; });
    shown.textContent = `${kept.filter(Boolean).length} of ${rows.length}`;
  };
  field.addEventListener("input", show);
  show();
});
