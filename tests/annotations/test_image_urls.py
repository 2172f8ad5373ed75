from __future__ import annotations

import pytest

from transforms.annotations.image_urls import name_of_url


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("a.jpg", "a.jpg"),
        (" x/사진 1.jpg ", "x/사진 1.jpg"),
        ("what?.jpg", "what?.jpg"),
        ("C:\\x\\a.jpg", "C:\\x\\a.jpg"),
        ("/data/upload/3/0a1b2c3d-a.jpg", "/data/upload/3/0a1b2c3d-a.jpg"),
        ("/data/local-files/?d=x/%EA%B1%B0.jpg", "x/거.jpg"),
        ("http://localhost:8080/data/local-files/?d=x%2Fa.jpg", "x/a.jpg"),
        ("https://host/x/a%20b.jpg?w=3#top", "/x/a b.jpg"),
        ("http://[/a.jpg", "//[/a.jpg"),
        ("s3://bucket/x/100%.jpg", "s3://bucket/x/100%.jpg"),
        ("gs://bucket/a.jpg", "gs://bucket/a.jpg"),
        ("file:C:/Users/kim/a%20b.jpg", "C:/Users/kim/a b.jpg"),
        ("file:///C:/Users/a.jpg", "C:/Users/a.jpg"),
        ("file:/home/kim/a.jpg", "/home/kim/a.jpg"),
        ("data:image/png;base64,iVBO", ""),
        ("", ""),
    ],
)
def test_name_of_url(url: str, name: str) -> None:
    assert name_of_url(url) == name
