"""Documents and archives, made to the descriptions named in docs/FORMATS.md, for the tests of several rooms."""
import io
import tarfile
import zipfile
import zlib


def zipped(*entries, method=zipfile.ZIP_DEFLATED):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as z:
        for name, data in entries:
            z.writestr(zipfile.ZipInfo(name, (2019, 3, 2, 21, 14, 0)), data, method)
    return out.getvalue()


def tarred(*entries, mode="w"):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=mode) as t:
        for name, data in entries:
            info = tarfile.TarInfo(name)
            info.mtime, info.size = 1551561240, len(data)
            t.addfile(info, io.BytesIO(data))
    return out.getvalue()


def docx(*paragraphs, author="Ann", created="2019-03-02T21:14:00Z"):
    w = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
    body = "".join(f"<w:p><w:r><w:t>{p}</w:t></w:r></w:p>" for p in paragraphs)
    core = ('<cp:coreProperties xmlns:cp="http://schemas.openxmlformats.org/package/2006/metadata/core-properties" '
            'xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:dcterms="http://purl.org/dc/terms/">'
            f"<dc:creator>{author}</dc:creator><dcterms:created>{created}</dcterms:created></cp:coreProperties>")
    return zipped(("[Content_Types].xml", "<Types/>"), ("docProps/core.xml", core),
                  ("word/document.xml", f'<w:document xmlns:w="{w}"><w:body>{body}</w:body></w:document>'))


def odt(text):
    o, t = "urn:oasis:names:tc:opendocument:xmlns:office:1.0", "urn:oasis:names:tc:opendocument:xmlns:text:1.0"
    return zipped(("mimetype", "application/vnd.oasis.opendocument.text"),
                  ("content.xml", f'<office:document-content xmlns:office="{o}" xmlns:text="{t}"><office:body>'
                   f"<office:text><text:p>{text}</text:p></office:text></office:body></office:document-content>"))


def epub(text):
    return zipped(("mimetype", "application/epub+zip"),
                  ("META-INF/container.xml", '<container><rootfiles><rootfile full-path="b.opf"/></rootfiles></container>'),
                  ("b.opf", '<package><metadata xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:title>The Ferry</dc:title>'
                   '<dc:creator>Ann</dc:creator></metadata><manifest><item id="a" href="a.xhtml"/></manifest>'
                   '<spine><itemref idref="a"/></spine></package>'),
                  ("a.xhtml", f"<html><body><p>{text}</p></body></html>"))


def pptx(text):
    rel = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    return zipped(("ppt/presentation.xml", f'<p:presentation xmlns:p="p" xmlns:r="{rel}"><p:sldIdLst><p:sldId id="256" '
                   'r:id="rId1"/></p:sldIdLst></p:presentation>'),
                  ("ppt/_rels/presentation.xml.rels", f'<Relationships><Relationship Id="rId1" Type="{rel}/slide" '
                   'Target="slides/slide1.xml"/></Relationships>'),
                  ("ppt/slides/slide1.xml", f'<p:sld xmlns:p="p" xmlns:a="a"><a:p><a:r><a:t>{text}</a:t></a:r></a:p></p:sld>'))


def pdf(text, packed=True):
    """One page, with a table of objects that is right; its content compressed or not."""
    content = f"BT /F1 12 Tf 72 700 Td ({text}) Tj ET".encode()
    data = zlib.compress(content) if packed else content
    how = b" /Filter /FlateDecode" if packed else b""
    objects = [b"<< /Type /Catalog /Pages 2 0 R >>", b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
               b"<< /Type /Page /Parent 2 0 R /Contents 4 0 R /Resources << /Font << /F1 5 0 R >> >> >>",
               b"<< /Length %d%s >>\nstream\n%s\nendstream" % (len(data), how, data),
               b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>"]
    out, at = b"%PDF-1.4\n", []
    for i, o in enumerate(objects, 1):
        at.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (i, o)
    table = b"xref\n0 6\n0000000000 65535 f \n" + b"".join(b"%010d 00000 n \n" % a for a in at)
    return out + table + b"trailer\n<< /Size 6 /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % len(out)
