-- about: which server answers, and what time it is there (UTC ns).
SELECT build() AS build, systimestamp_ns()::long AS now_ns;
