// Light or dark: as the system has it, or as somebody chose here.

const KEY = 'sallyport-theme';

export function startTheme() {
  const select = document.getElementById('theme');
  const show = (theme) => {
    if (theme) document.documentElement.dataset.theme = theme;
    else delete document.documentElement.dataset.theme;
  };
  select.value = localStorage.getItem(KEY) || '';
  show(select.value);
  select.addEventListener('change', () => {
    if (select.value) localStorage.setItem(KEY, select.value);
    else localStorage.removeItem(KEY);
    show(select.value);
  });
}
